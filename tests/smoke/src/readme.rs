//! README.md shows the code as it is.

use std::{env, fs, path::Path};

/// A file of the workspace, line by line, without indentation and empty lines.
fn lines(path: &str) -> Vec<String> {
    let workspace = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let text = fs::read_to_string(workspace.join(path)).unwrap();
    let lines = text.lines().map(|line| line.trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_handlers_in_the_readme_are_those_of_the_programs() {
    let readme = lines("README.md");
    let mut shown = readme.iter().skip_while(|line| *line != "```rust").skip(1).peekable();
    for path in ["client/src/local_stream_service.rs", "server/src/echo_server.rs"] {
        let heading = shown.next().unwrap();
        assert!(heading.starts_with("// The ") && heading.ends_with(path), "{heading}");
        let source = lines(path);
        let mut source = source.iter();
        while let Some(line) = shown.next_if(|line| !line.starts_with("// The ") && *line != "```") {
            assert!(source.any(|other| other == line), "not in {path} at this place: {line}");
        }
    }
    assert_eq!(shown.next().map(String::as_str), Some("```"));
}
