//! The modules of one crate, and which of them imports which.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use crate::imports::{Import, imports};

/// A module's path from the crate's root on; the root's is empty.
pub type ModulePath = Vec<String>;

/// The modules of a crate that have files of their own.
pub struct Modules(BTreeMap<ModulePath, Module>);

struct Module {
    /// The file, below the source folder.
    file: String,
    imports: Vec<Import>,
}

/// One module imports something from another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The importing module.
    pub from: ModulePath,
    /// The module that the import names.
    pub named: ModulePath,
    /// The module that has the name: another one, if a folder's own module or the root gives it on.
    pub to: ModulePath,
    /// What is imported.
    pub name: String,
}

impl Modules {
    /// Reads the files below a source folder.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let sources = sources(folder)?;
        Ok(Self::of(
            sources.iter().map(|(file, source)| (file.as_str(), source.as_str())),
        ))
    }

    /// Modules from files, each with its path below the source folder and its text.
    pub fn of<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let modules = sources.into_iter().filter_map(|(file, source)| {
            let path = module_path(file)?;
            let imports = imports(source, &path);
            let file = file.to_owned();
            Some((path, Module { file, imports }))
        });
        Self(modules.collect())
    }

    /// The names of the modules in the root.
    pub fn top(&self) -> BTreeSet<&str> {
        self.0
            .keys()
            .filter_map(|path| path.first())
            .map(String::as_str)
            .collect()
    }

    /// The file of a module.
    pub fn file(&self, path: &[String]) -> &str {
        self.0.get(path).map_or("", |module| &module.file)
    }

    /// All imports from one module to another.
    pub fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (from, module) in &self.0 {
            for import in &module.imports {
                let gives_on = import.is_public && module.is_folder();
                if gives_on || !self.is_of_crate(import) {
                    continue;
                }
                if let Some(named) = self.longest_module(&import.path).map(|(named, _)| named.to_vec())
                    && let Some(to) = self.origin(&import.path, 0)
                    && to != *from
                {
                    edges.insert(Edge {
                        from: from.clone(),
                        named,
                        to,
                        name: import.path.last().cloned().unwrap_or_default(),
                    });
                }
            }
        }
        edges
    }

    /// Whether an import is one from its own crate: a path without a prefix may begin with another one.
    fn is_of_crate(&self, import: &Import) -> bool {
        import.is_own
            || self
                .longest_module(&import.path)
                .is_some_and(|(module, rest)| !module.is_empty() && rest.len() < 2)
    }

    /// The longest part of a path that is a module, and what is left of it.
    fn longest_module<'a>(&self, path: &'a [String]) -> Option<(&'a [String], &'a [String])> {
        let lens = (0..=path.len()).rev();
        lens.map(|len| path.split_at(len))
            .find(|(module, _)| self.0.contains_key(*module))
    }

    /// The module that has what a path leads to.
    fn origin(&self, path: &[String], hops: usize) -> Option<ModulePath> {
        /// More than that is a circle of names.
        const MAX_HOPS: usize = 8;
        let (module, rest) = self.longest_module(path)?;
        let found = self.0.get(module)?;
        let given_on = rest.first().filter(|_| hops < MAX_HOPS).and_then(|name| {
            let mut imports = found.imports.iter();
            imports.find(|import| import.name == *name && import.path != path && found.is_folder())
        });
        match given_on {
            Some(import) => self.origin(&import.path, hops + 1),
            None => Some(module.to_vec()),
        }
    }
}

impl Module {
    fn is_folder(&self) -> bool {
        self.file == "lib.rs" || self.file.ends_with("mod.rs")
    }
}

/// The module of a file; `None` for a program's root, and for tests.
fn module_path(file: &str) -> Option<ModulePath> {
    let mut path: ModulePath = file.strip_suffix(".rs")?.split('/').map(String::from).collect();
    if path.iter().any(|part| part == "tests" || part == "main") {
        return None;
    }
    path.pop_if(|last| last == "mod" || last == "lib");
    Some(path)
}

/// The source files below a folder, each with its path there and its text.
///
/// # Errors
/// When one can't be read.
pub fn sources(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut sources = Vec::new();
    collect(folder, folder, &mut sources)?;
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            let file = below.to_string_lossy().replace('\\', "/");
            if file.ends_with(".rs") {
                sources.push((file, fs::read_to_string(&path)?));
            }
        }
    }
    Ok(())
}
