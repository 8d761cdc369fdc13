//! Each rule that a proto file can break, and the text that the author of the file reads.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use actr_lite_codegen::{Compiler, Error};

/// Compiles the files, expecting it to fail without having written any code.
fn refused(protos: &[(&str, &str)]) -> Error {
    let folder = tempfile::tempdir().unwrap();
    let out_dir = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = protos
        .iter()
        .map(|(name, source)| {
            let path = folder.path().join(name);
            fs::write(&path, source).unwrap();
            path
        })
        .collect();
    let error = Compiler::new()
        .out_dir(out_dir.path())
        .compile(&paths, &[folder.path()])
        .unwrap_err();
    assert_eq!(fs::read_dir(out_dir.path()).unwrap().count(), 0);
    error
}

#[test]
fn two_rpcs_of_a_service_that_share_a_request_are_refused() {
    let error = refused(&[(
        "stock.proto",
        r#"syntax = "proto3";
package stock;
message Article {}
message Reply {}
service Stock {
  rpc Count(Article) returns (Reply);
  rpc Order(Article) returns (Reply);
}
"#,
    )]);
    assert!(matches!(error, Error::SharedRequest { .. }));
    insta::assert_snapshot!(error, @"rpc `stock.Stock.Count` (stock.proto:6) and rpc `stock.Stock.Order` (stock.proto:7) share the request message `stock.Article`, but the request message alone tells which rpc a call is for: make a message for each rpc");
}

#[test]
fn two_rpcs_of_two_files_that_share_a_request_are_refused() {
    let error = refused(&[
        (
            "stock.proto",
            r#"syntax = "proto3";
package stock;
message Article {}
message Reply {}
service Stock { rpc Count(Article) returns (Reply); }
"#,
        ),
        (
            "shop.proto",
            r#"syntax = "proto3";
package shop;
import "stock.proto";
service Shop { rpc Price(stock.Article) returns (stock.Reply); }
"#,
        ),
    ]);
    insta::assert_snapshot!(error, @"rpc `stock.Stock.Count` (stock.proto:5) and rpc `shop.Shop.Price` (shop.proto:4) share the request message `stock.Article`, but the request message alone tells which rpc a call is for: make a message for each rpc");
}

#[test]
fn a_streaming_rpc_is_refused_whichever_side_streams() {
    for (request, response) in [("stream A", "B"), ("A", "stream B"), ("stream A", "stream B")] {
        let source = format!(
            "syntax = 'proto3';\npackage feed;\nmessage A {{}}\nmessage B {{}}\n\
             service Feed {{\n  rpc Follow({request}) returns ({response});\n}}\n"
        );
        let error = refused(&[("feed.proto", &source)]);
        assert!(matches!(error, Error::StreamingRpc { .. }));
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @"rpc `feed.Feed.Follow` (feed.proto:6) is declared with `stream`, but the streams of this runtime are not gRPC streams: make it a unary rpc that agrees on a stream id, and send the frames as a DataStream");
        }
    }
}

#[test]
fn a_proto_without_a_package_is_refused() {
    let error = refused(&[("bare.proto", "syntax = 'proto3';\nmessage A {}\n")]);
    insta::assert_snapshot!(error, @"bare.proto has no package, which every route starts with: add a line such as `package my_service;`");
}

#[test]
fn a_service_without_an_rpc_is_refused() {
    let error = refused(&[("idle.proto", "syntax = 'proto3';\npackage idle;\n\nservice Idle {}\n")]);
    insta::assert_snapshot!(error, @"idle.proto:4: service `idle.Idle` has no rpc: add one, or remove the service");
}

#[test]
fn a_request_of_protobufs_own_messages_is_refused() {
    let error = refused(&[(
        "ping.proto",
        r#"syntax = "proto3";
package ping;
import "google/protobuf/empty.proto";
message Pong {}
service Ping { rpc Ping(google.protobuf.Empty) returns (Pong); }
"#,
    )]);
    insta::assert_snapshot!(error, @"rpc `ping.Ping.Ping` (ping.proto:5) takes protobuf's own message `google.protobuf.Empty`, whose Rust type belongs to another crate and can't be given a route: make a message for the rpc");
}

#[test]
fn a_service_file_that_imports_messages_is_refused() {
    let error = refused(&[
        (
            "article.proto",
            "syntax = 'proto3';\npackage article;\nmessage Article {}\nmessage Reply {}\n",
        ),
        (
            "shop.proto",
            r#"syntax = "proto3";
package shop;
import "article.proto";
service Shop { rpc Price(article.Article) returns (article.Reply); }
"#,
        ),
    ]);
    insta::assert_snapshot!(error, @"shop.proto defines a service and imports article.proto, but the fingerprint that protects the service's contract covers one file alone: move the messages of the service into shop.proto");
}

#[test]
fn a_syntax_error_names_file_and_line() {
    let error = refused(&[("typo.proto", "syntax = 'proto3';\npackage typo;\nmesage A {}\n")]);
    insta::assert_snapshot!(error, @"typo.proto:3:1: expected 'enum', 'extend', 'import', 'message', 'option', 'service', 'package' or ';', but found 'mesage'");
}

#[test]
fn a_missing_file_is_named() {
    let error = Compiler::new()
        .out_dir("unused")
        .compile(&[Path::new("nowhere/none.proto")], &["nowhere"])
        .unwrap_err();
    insta::assert_snapshot!(error, @"file 'nowhere/none.proto' is not in any include path");
}

#[test]
fn outside_a_build_script_the_out_dir_has_to_be_named() {
    // Cargo sets OUT_DIR for the tests only of packages with a build script.
    assert!(std::env::var_os("OUT_DIR").is_none());
    let error = actr_lite_codegen::compile(&["a.proto"], &["."]).unwrap_err();
    insta::assert_snapshot!(error, @"OUT_DIR is not set: call `compile` from a build script, or name a folder with `Compiler::out_dir`");
}

#[test]
fn a_build_script_that_returns_the_error_shows_its_causes() {
    let folder = tempfile::tempdir().unwrap();
    let proto = folder.path().join("a.proto");
    fs::write(&proto, "syntax = 'proto3';\npackage a;\nmessage A {}\n").unwrap();
    let error = Compiler::new()
        .out_dir(folder.path().join("missing"))
        .compile(&[&proto], &[folder.path()])
        .unwrap_err();
    let shown = format!("{error:?}").replace(&*folder.path().to_string_lossy(), "FOLDER");
    insta::assert_snapshot!(shown, @"cannot write the generated code to FOLDER/missing: No such file or directory (os error 2)");
}

#[test]
fn a_proto_without_a_settled_fingerprint_is_refused() {
    let error = refused(&[(
        "stock.proto",
        r#"syntax = "proto3";
package stock;
message Article {
  int32 id = 010;
}
message Reply {}
service Stock { rpc Count(Article) returns (Reply); }
"#,
    )]);
    assert!(matches!(error, Error::Fingerprint { .. }));
    insta::assert_snapshot!(error, @"cannot compute the fingerprint of stock.proto: line 4 has an octal number, which proto-sign reads as a decimal one: write it in decimal");
}
