//! Makes Rust of the messages and services in `proto/`, without any program but this one, and keeps their descriptors, which
//! the runtime reads rules and REST paths from.

use std::error::Error;
use std::path::Path;

/// What is compiled; the rest is imported by it.
const FILES: [&str; 5] = [
    "yandex/cloud/containers.proto",
    "yandex/cloud/endpoint.proto",
    "yandex/cloud/functions.proto",
    "yandex/cloud/iam.proto",
    "yandex/cloud/operation.proto",
];

/// Rules are options of fields, and are read from the descriptors.
const RULES: &str = r#"#[expect(dead_code, reason = "the descriptors have it")]"#;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(FILES)?;
    let out = std::env::var("OUT_DIR")?;
    // With the options, which the parsed form of the descriptors does not have.
    std::fs::write(Path::new(&out).join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    let mut messages = tonic_prost_build::Config::new();
    messages.enable_type_names();
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .generate_default_stubs(true)
        .message_attribute(".tidemill.Rule", RULES)
        .btree_map(".")
        .bytes(".")
        .include_file("messages.rs")
        .compile_fds_with_config(compiler.file_descriptor_set(), messages)?;
    Ok(())
}
