//! What was built for one checkout runs in another, and in one that was moved.

use std::fs;

use crate::test_files::{sources, workspace};

#[test]
fn nothing_has_the_path_of_its_checkout_compiled_in() {
    // What is built in a target folder that another checkout shares, or in one that was moved, would look in the wrong one.
    let compiled_in = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_EXE_"];
    for path in sources(&workspace()) {
        let source = fs::read_to_string(&path).unwrap();
        for (number, line) in source.lines().enumerate() {
            for variable in compiled_in {
                let is_read = line.contains(&format!("env!(\"{variable}"));
                assert!(
                    !is_read,
                    "{}:{}: read it when the program runs",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}
