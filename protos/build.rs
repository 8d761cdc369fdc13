//! Generates the messages, handler traits and dispatchers of the proto files beside this script.

fn main() -> Result<(), actr_lite_codegen::Error> {
    actr_lite_codegen::compile(&["stream_server.proto", "stream_client.proto"], &["."])
}
