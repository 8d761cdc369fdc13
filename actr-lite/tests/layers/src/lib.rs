//! Reads the sources of a crate, and says which imports go where they must not: up, through the crate's root, or in a
//! circle.
//!
//! It reads `use` declarations and paths that begin with `crate`, `self` or `super`. Modules for tests are left out, and so
//! is what `main.rs` imports.

pub mod breach;
pub mod imports;
pub mod modules;
pub mod tokens;
