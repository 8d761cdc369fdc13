//! What one file imports from its own crate.

use crate::tokens::tokens;

/// One import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// From the crate's root on. It may lead into another crate, if it has no prefix.
    pub path: Vec<String>,
    /// As what it is known in the importing module.
    pub name: String,
    /// Others can import it from here.
    pub is_public: bool,
    /// It begins with `crate`, `self` or `super`.
    pub is_own: bool,
}

/// The imports of the module at `module`, in their order.
pub fn imports(source: &str, module: &[String]) -> Vec<Import> {
    let mut parser = Parser {
        tokens: without_tests(&tokens(source)),
        at: 0,
        module: module.to_vec(),
        open_modules: Vec::new(),
        depth: 0,
        imports: Vec::new(),
    };
    parser.run();
    parser.imports
}

/// Leaves out each item that is there only for tests.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const ATTRIBUTE: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..]
            .iter()
            .map(String::as_str)
            .take(ATTRIBUTE.len())
            .eq(ATTRIBUTE)
        {
            at += ATTRIBUTE.len();
            let mut depth = 0;
            while at < tokens.len() {
                at += 1;
                match tokens[at - 1].as_str() {
                    "{" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" => depth -= 1,
                    ";" if depth == 0 => break,
                    _ => {}
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    /// The module that is being read.
    module: Vec<String>,
    /// At which depth of braces the modules within the file begin.
    open_modules: Vec<usize>,
    depth: usize,
    imports: Vec<Import>,
}

impl Parser {
    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", String::as_str)
    }

    fn run(&mut self) {
        while self.at < self.tokens.len() {
            let (token, next) = (self.token(self.at), self.token(self.at + 1).to_owned());
            match token {
                "{" => self.depth += 1,
                "}" => {
                    self.depth -= 1;
                    if self.open_modules.last() == Some(&self.depth) {
                        self.open_modules.pop();
                        self.module.pop();
                    }
                }
                "mod" if self.token(self.at + 2) == "{" => {
                    self.open_modules.push(self.depth);
                    self.module.push(next);
                    self.at += 1;
                }
                // Not the captured lifetimes of a type.
                "use" if next != "<" => self.declaration(),
                "crate" | "self" | "super" if next == "::" => self.path(),
                _ => {}
            }
            self.at += 1;
        }
    }

    /// A `use` declaration; ends at its semicolon.
    fn declaration(&mut self) {
        let before = self.at.checked_sub(1).map_or("", |at| self.token(at));
        // Visibility stands right before it: `pub`, or `pub(crate)`.
        let is_public = before == "pub" || before == ")";
        self.at += 1;
        self.tree(&[], is_public);
    }

    fn tree(&mut self, prefix: &[String], is_public: bool) {
        let mut path = prefix.to_vec();
        loop {
            match self.token(self.at) {
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(self.at), "}" | "") {
                        self.tree(&path, is_public);
                        if self.token(self.at) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "::" => self.at += 1,
                "as" => {
                    let name = self.token(self.at + 1).to_owned();
                    self.at += 2;
                    self.add(&path, Some(name), is_public);
                    return;
                }
                "," | ";" | "}" | "" => {
                    self.add(&path, None, is_public);
                    return;
                }
                word => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
            }
        }
    }

    /// A path in an expression or a type; ends at its last word.
    fn path(&mut self) {
        let mut path = vec![self.token(self.at).to_owned()];
        while self.token(self.at + 1) == "::" && self.token(self.at + 2).starts_with(|char: char| char.is_alphabetic())
        {
            path.push(self.token(self.at + 2).to_owned());
            self.at += 2;
        }
        self.add(&path, None, false);
    }

    fn add(&mut self, path: &[String], name: Option<String>, is_public: bool) {
        let mut own = self.module.clone();
        let mut rest = path;
        let is_own = matches!(path.first().map(String::as_str), Some("crate" | "self" | "super"));
        match rest.split_first() {
            Some((first, others)) if first == "crate" => (own, rest) = (Vec::new(), others),
            Some((first, others)) if first == "self" => rest = others,
            _ => {}
        }
        while let Some((first, others)) = rest.split_first()
            && first == "super"
        {
            own.pop();
            rest = others;
        }
        own.extend(rest.iter().filter(|word| *word != "self").cloned());
        let last = own.last().cloned().unwrap_or_default();
        self.imports.push(Import {
            path: own,
            name: name.unwrap_or(last),
            is_public,
            is_own,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        let module = ["a", "b"].map(String::from);
        let imports = imports(source, &module);
        imports.iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn a_tree_is_read_as_its_paths() {
        let source = "use crate::{c::{self, D as E}, f::*}; use super::g::H; use self::i::J;";
        assert_eq!(paths(source), ["c", "c::D", "f::*", "a::g::H", "a::b::i::J"]);
    }

    #[test]
    fn paths_in_code_are_read_too() {
        let source = "fn f(x: crate::c::D) -> impl Sized + use<> { super::g::h(self.x) }";
        assert_eq!(paths(source), ["c::D", "a::g::h"]);
    }

    #[test]
    fn a_module_within_a_file_has_its_own_parent() {
        let source = "mod inner { use super::X; } use super::Y;";
        assert_eq!(paths(source), ["a::b::X", "a::Y"]);
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let source = "#[cfg(test)] mod tests { use crate::c; fn f() {} } #[cfg(test)] mod more; use crate::d;";
        assert_eq!(paths(source), ["d"]);
    }
}
