//! The semantic fingerprint of a proto file.

use data_encoding::HEXLOWER;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost_types::FileDescriptorProto;

use crate::canonical_form;
use crate::error::Error;

/// The semantic fingerprint of a proto file's text: 64 hexadecimal digits.
///
/// Comments, formatting and the order of declarations don't change it; a change of a name, number, type or option does.
/// It is the SHA-256 of the file's canonical form, written as JSON with two spaces of indentation, as crate
/// `proto-sign` 0.1.1 makes it, so that it agrees with the fingerprints that other actr implementations publish.
///
/// # Errors
///
/// [`Error::Proto`] if the text isn't a proto file, or imports another than protobuf's own: the canonical form covers
/// one file. [`Error::Fingerprint`] if its canonical form can't be computed.
pub fn proto_fingerprint(source: &str) -> Result<String, Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(SingleFile(source.into()));
    resolver.add(GoogleFileResolver::new());
    let mut protox = protox::Compiler::with_file_resolver(resolver);
    protox.open_file(SingleFile::NAME)?;
    let file = protox.descriptor_pool().get_file_by_name(SingleFile::NAME);
    file.map_or_else(
        || Err(protox::Error::file_not_found(SingleFile::NAME).into()),
        |file| of_file(file.file_descriptor_proto(), source),
    )
}

/// The fingerprint of a file that protox has read from `source`, and resolved.
pub(crate) fn of_file(file: &FileDescriptorProto, source: &str) -> Result<String, Error> {
    let form = canonical_form::of_file(file, source).map_err(|reason| Error::Fingerprint {
        file: file.name().into(),
        reason,
    })?;
    Ok(HEXLOWER.encode(&hmac_sha256::Hash::hash(form.as_ref())))
}

/// A proto file in memory.
struct SingleFile(String);

impl SingleFile {
    const NAME: &str = "proto text";
}

impl FileResolver for SingleFile {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            Self::NAME => File::from_source(name, &self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract of the actr project's streaming example.
    const STREAM_SERVER: &str = "\
        syntax = \"proto3\";
        package stream_server;

        // Asks for a stream.
        message RegisterStreamRequest {
            string stream_id = 1;
            int32 message_count = 2;
        }
        message RegisterStreamResponse {
            bool success = 1;
            string message = 2;
        }
        service StreamServer {
            rpc RegisterStream(RegisterStreamRequest) returns (RegisterStreamResponse);
        }";

    #[test]
    fn the_fingerprint_agrees_with_other_implementations() {
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
    fn an_import_of_another_file_is_refused_by_name() {
        let source = "syntax = 'proto3'; package shop;\nimport \"a.proto\";\nmessage M { a.A a = 1; }";
        let error = proto_fingerprint(source).unwrap_err();
        insta::assert_snapshot!(error, @"proto text:2:1: import 'a.proto' not found");
    }
}
