//! What is wrong with a crate's imports.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::modules::{Edge, ModulePath, Modules};

/// An import, or several together, that must not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// A module in the root that is not among the layers.
    NoLayer(String),
    /// A file imports from a layer above its own.
    Upward {
        /// The file.
        file: String,
        /// What it imports.
        name: String,
        /// The layer that has it.
        layer: String,
    },
    /// A file imports through the crate's root, or through a folder's own module, what another module has.
    Detour {
        /// The file.
        file: String,
        /// What it imports.
        name: String,
        /// The file that has it.
        origin: String,
    },
    /// Files that import from each other in a circle.
    Circle(Vec<String>),
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLayer(module) => write!(f, "the module {module} is not among the layers: say where it belongs"),
            Self::Upward { file, name, layer } => {
                write!(
                    f,
                    "{file} imports {name} from {layer}, which is above it: define a trait, or move what it needs"
                )
            }
            Self::Detour { file, name, origin } => {
                write!(
                    f,
                    "{file} imports {name} by a detour: import it from where it is defined, {origin}"
                )
            }
            Self::Circle(files) => write!(
                f,
                "these files import from each other in a circle: {}",
                files.join(", ")
            ),
        }
    }
}

/// Imports that go up. `layers` are the modules of the crate's root, the lowest first.
pub fn upward(modules: &Modules, layers: &[&str]) -> Vec<Breach> {
    let height = |layer: &str| layers.iter().position(|other| *other == layer);
    let top = modules.top();
    let unknown = top.iter().filter(|module| height(module).is_none());
    let mut breaches: Vec<_> = unknown.map(|module| Breach::NoLayer((*module).into())).collect();
    for Edge { from, to, name, .. } in modules.edges() {
        let (Some(own), Some(other)) = (from.first(), to.first()) else {
            continue;
        };
        if height(other) > height(own) {
            breaches.push(Breach::Upward {
                file: modules.file(&from).into(),
                name,
                layer: other.clone(),
            });
        }
    }
    breaches
}

/// Imports through the crate's root of what another module has.
pub fn through_root(modules: &Modules) -> Vec<Breach> {
    detours_where(modules, |edge| edge.named.is_empty() && !edge.to.is_empty())
}

/// Imports that name another module than the one that has what they import: the root, or a folder's own module. What the
/// root itself has counts too, as all others depend on a module that names them all then.
pub fn detours(modules: &Modules) -> Vec<Breach> {
    detours_where(modules, |edge| edge.named.is_empty() || edge.named != edge.to)
}

fn detours_where(modules: &Modules, is_detour: impl Fn(&Edge) -> bool) -> Vec<Breach> {
    let edges = modules.edges().into_iter();
    let detours = edges.filter(|edge| !edge.from.is_empty() && is_detour(edge));
    detours
        .map(|Edge { from, to, name, .. }| Breach::Detour {
            file: modules.file(&from).into(),
            name,
            origin: modules.file(&to).into(),
        })
        .collect()
}

/// Circles of files.
pub fn circles(modules: &Modules) -> Vec<Breach> {
    let mut imported: BTreeMap<ModulePath, BTreeSet<ModulePath>> = BTreeMap::new();
    // The root names its modules, and they may use what it defines itself.
    let edges = modules.edges().into_iter();
    for Edge { from, to, .. } in edges.filter(|edge| !edge.from.is_empty() && !edge.to.is_empty()) {
        imported.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<_, _> = imported.keys().map(|from| (from, reachable(from, &imported))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reached {
        let is_mutual = |other: &&ModulePath| reached.get(other).is_some_and(|back| back.contains(*from));
        let circle: Vec<String> = to
            .iter()
            .filter(is_mutual)
            .map(|module| modules.file(module).into())
            .collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().map(Breach::Circle).collect()
}

/// All modules that one gets to by imports.
fn reachable(from: &ModulePath, imported: &BTreeMap<ModulePath, BTreeSet<ModulePath>>) -> BTreeSet<ModulePath> {
    let (mut found, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        for other in imported.get(module).into_iter().flatten() {
            if found.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(sources: &[(&'static str, &'static str)]) -> Modules {
        Modules::of(sources.iter().copied())
    }

    #[test]
    fn imports_that_go_down_are_fine() {
        let modules = modules(&[
            ("lib.rs", "mod a; mod b; pub use b::x::X;"),
            ("a/mod.rs", "pub(crate) mod y;"),
            ("a/y.rs", "use std::fmt; use bytes::Bytes; pub struct Y;"),
            ("b/mod.rs", "pub(crate) mod x;"),
            ("b/x.rs", "use crate::a::y::Y; pub struct X(Y);"),
        ]);
        assert_eq!(upward(&modules, &["a", "b"]), []);
        assert_eq!(detours(&modules), []);
        assert_eq!(circles(&modules), []);
    }

    #[test]
    fn an_import_from_a_layer_above_is_found() {
        let modules = modules(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a/y.rs", "fn f(x: crate::b::x::X) {}"),
            ("b/x.rs", "pub struct X;"),
            ("c.rs", ""),
        ]);
        let up = Breach::Upward {
            file: "a/y.rs".into(),
            name: "X".into(),
            layer: "b".into(),
        };
        assert_eq!(upward(&modules, &["a", "b"]), [Breach::NoLayer("c".into()), up]);
    }

    #[test]
    fn an_import_through_the_root_or_a_folder_is_found() {
        let modules = modules(&[
            ("lib.rs", "mod a; mod b; pub use a::y::Y; pub const Z: u8 = 0;"),
            ("a/mod.rs", "pub(crate) mod y; pub(crate) use y::Y;"),
            ("a/y.rs", "pub struct Y;"),
            ("b.rs", "use crate::Y; use crate::Z;"),
            ("c.rs", "use crate::a::Y;"),
        ]);
        let detour = |file: &str, name: &str, origin: &str| Breach::Detour {
            file: file.into(),
            name: name.into(),
            origin: origin.into(),
        };
        assert_eq!(
            detours(&modules),
            [
                detour("b.rs", "Z", "lib.rs"),
                detour("b.rs", "Y", "a/y.rs"),
                detour("c.rs", "Y", "a/y.rs")
            ]
        );
        assert_eq!(through_root(&modules), [detour("b.rs", "Y", "a/y.rs")]);
    }

    #[test]
    fn a_circle_is_found_behind_the_root() {
        let modules = modules(&[
            ("lib.rs", "mod a; mod b; mod c; pub use c::C;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::C; pub struct B;"),
            ("c.rs", "use super::a::A; pub struct C;"),
            ("d.rs", "use crate::a::A;"),
        ]);
        assert_eq!(
            circles(&modules),
            [Breach::Circle(["a.rs", "b.rs", "c.rs"].map(String::from).into())]
        );
    }
}
