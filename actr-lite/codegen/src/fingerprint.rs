//! The semantic fingerprint of a proto file.

use std::path::{Component, Path};

use crate::error::Error;

/// The semantic fingerprint of a proto file's text: 64 hexadecimal digits.
///
/// Comments, formatting and the order of declarations don't change it; a change of a name, number,
/// type or option does. It is the SHA-256 of the file's canonical form, written as JSON with two
/// spaces of indentation, as crate `proto-sign` 0.1.1 makes it, so that it agrees with the
/// fingerprints that other actr implementations publish.
///
/// # Errors
///
/// [`Error::Proto`] if the text isn't a proto file, and [`Error::Fingerprint`] if it uses messages
/// that it doesn't define, as those of another file: the canonical form covers one file.
pub fn proto_fingerprint(source: &str) -> Result<String, Error> {
    const NAME: &str = "proto text";
    // Its syntax errors are better than those of proto-sign.
    protox::file::File::from_source(NAME, source)?;
    of_file(NAME, source)
}

pub(crate) fn of_file(file: &str, source: &str) -> Result<String, Error> {
    let failed = |reason| Error::Fingerprint {
        file: file.to_owned(),
        reason,
    };
    if let Some(import) = unsafe_import(source) {
        return Err(failed(format!(
            "the import path `{import}` is not one below the include folder"
        )));
    }
    proto_sign::generate_fingerprint(source).map_err(|error| failed(error.root_cause().to_string()))
}

/// An import that proto-sign must not be shown.
///
/// It writes an empty file for every line that looks like an import, even inside a comment, at that
/// path below a temporary folder. An absolute path or a `..` would overwrite a file elsewhere, and
/// `input.proto` the very text to fingerprint.
fn unsafe_import(source: &str) -> Option<&str> {
    source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("import "))
        .map(|import| {
            import
                .trim_start_matches("import ")
                .trim_start_matches("public ")
                .trim_matches(['"', ';'])
        })
        .find(|import| {
            *import == "input.proto"
                || !Path::new(import)
                    .components()
                    .all(|component| matches!(component, Component::Normal(_)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM_SERVER: &str = include_str!("../../../protos/stream_server.proto");

    #[test]
    fn the_fingerprint_agrees_with_the_one_other_implementations_publish() {
        assert_eq!(
            proto_fingerprint(STREAM_SERVER).unwrap(),
            "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355"
        );
    }

    #[test]
    fn comments_formatting_and_order_do_not_change_the_fingerprint() {
        let same = "syntax='proto3';package stream_server;
            service StreamServer {
                rpc RegisterStream (RegisterStreamRequest) returns (RegisterStreamResponse) {}
            }
            /* The reply. */
            message RegisterStreamResponse { string message = 2; bool success = 1; }
            message RegisterStreamRequest
            {
                int32 message_count = 2; // how many

                string stream_id = 1;
            }";
        assert_eq!(
            proto_fingerprint(same).unwrap(),
            proto_fingerprint(STREAM_SERVER).unwrap()
        );
    }

    #[test]
    fn a_changed_contract_has_another_fingerprint() {
        let original = proto_fingerprint(STREAM_SERVER).unwrap();
        for (was, is) in [
            ("string message = 2;", "string message = 2; string more = 3;"),
            ("int32 message_count = 2", "int64 message_count = 2"),
            ("int32 message_count = 2", "int32 message_count = 3"),
            ("int32 message_count", "int32 count"),
            ("rpc RegisterStream(", "rpc Register("),
            ("package stream_server", "package stream_servers"),
        ] {
            assert!(STREAM_SERVER.contains(was), "{was} is part of the contract");
            let changed = STREAM_SERVER.replace(was, is);
            assert_ne!(proto_fingerprint(&changed).unwrap(), original, "{is}");
        }
    }

    #[test]
    fn a_syntax_error_is_refused_with_its_place() {
        let error = proto_fingerprint("syntax = 'proto3';\nmessage {").unwrap_err();
        insta::assert_snapshot!(error, @"proto text:2:9: expected an identifier, but found '{'");
    }

    #[test]
    fn a_message_of_another_file_is_refused_by_name() {
        let source = "syntax = 'proto3'; package shop;\nimport \"a.proto\";\nmessage M { a.A a = 1; }";
        let error = proto_fingerprint(source).unwrap_err();
        insta::assert_snapshot!(error, @"cannot compute the fingerprint of proto text: object is not found by path `a.A` in scope `.shop.M`");
    }

    #[test]
    fn an_import_path_never_reaches_a_file_outside_the_temporary_folder() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim.proto");
        std::fs::write(&victim, "untouched").unwrap();
        let source = format!(
            "syntax = 'proto3'; package p;\n/*\n import \"{}\";\n*/\nmessage M {{}}",
            victim.display()
        );
        assert!(matches!(proto_fingerprint(&source), Err(Error::Fingerprint { .. })));
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
        for import in ["../x.proto", "a/../../x.proto", "input.proto"] {
            let source = format!("syntax = 'proto3';\nimport public \"{import}\";");
            let error = of_file("a.proto", &source).unwrap_err().to_string();
            assert!(error.contains(import), "{error}");
        }
    }
}
