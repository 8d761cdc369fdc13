//! What is generated for a proto file, word for word.

use std::fs;

use actr_lite_codegen::Compiler;

const WAREHOUSE: &str = r#"syntax = "proto3";

package acme.warehouse.v1;

import "google/protobuf/empty.proto";

// Asks how many are left.
message StockRequest {
  // The "article" number.
  string article = 1;
}

// How many are left.
message StockResponse {
  // Zero or more.
  uint32 pieces = 1;
}

// Names that the generated code must not confuse with Rust's own.
message Result {
  // What to put where.
  message Sync {
    // An article number.
    string article = 1;
  }
}

// Knows what is in the warehouse.
//
// Its answers are a moment old.
service Stock {
  // Counts the pieces of an article.
  rpc Count(StockRequest) returns (StockResponse); // Never blocks.
  rpc Move(Result.Sync) returns (google.protobuf.Empty);
}

service HTTPGate {
  rpc Type(Result) returns (StockResponse);
}
"#;

#[test]
fn a_service_becomes_handler_descriptor_and_dispatcher() {
    let folder = tempfile::tempdir().unwrap();
    let proto = folder.path().join("warehouse.proto");
    fs::write(&proto, WAREHOUSE).unwrap();
    Compiler::new()
        .out_dir(folder.path())
        .compile(&[&proto], &[folder.path()])
        .unwrap();

    let code = fs::read_to_string(folder.path().join("acme.warehouse.v1.rs")).unwrap();
    insta::assert_snapshot!("warehouse", code);
}
