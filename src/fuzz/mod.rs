//! What is fed with anything at all, to see that it refuses what it must and never panics: one [`Target`] for each part
//! that reads what strangers send. Each room has the body of its own; `tests/it/fuzz.rs` runs them for a moment with
//! inputs of its own making, `tests/fuzz` for as long as somebody wants under a fuzzer. No part of the program's work.

mod names;

use crate::{engine, http, oci, signature, store};

/// A part that is fed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called here and in `tests/fuzz`.
    pub name: &'static str,
    /// Takes an input; panics where something that must be true is not.
    pub run: fn(&[u8]),
    /// Inputs to begin with, besides those that are kept in `tests/fuzz/corpus`.
    pub seeds: &'static [&'static [u8]],
}

/// All of them.
pub const TARGETS: [Target; 9] = [
    Target { name: "module", run: engine::fuzz::module, seeds: &[b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0"] },
    Target {
        name: "names",
        run: names::name,
        seeds: &[
            b"shop/resize@prod",
            b"function:shop/b@3",
            b"object:bucket/a/b",
            b"https://a.example:8443/x?y=z",
            b"private+https://*.a.example:*",
            b"typed:a:b/c@1.0.0#d",
            b"urn:fss:local:p:function:default:f:latest",
            b"arn:aws:sqs:local:team:q.fifo",
            b"0 2 * * MON-FRI",
            b"format=payload,connection=c,expires-days=7",
        ],
    },
    Target {
        name: "settings",
        run: http::fuzz_native::settings,
        seeds: &[
            br#"0{"entrypoint":"handler","memory_bytes":65536,"grants":{"http":["https://a.example"],"secrets":{"A":"b"}}}"#,
            br#"1{"max_retries":3,"on_success":{"to":"queue:q","format":"payload"},"on_failure":"function:b"}"#,
            br#"2{"kind":"timer","function":"a","cron":"*/5 * * * *","time_zone":"Europe/Berlin","payload":"x"}"#,
            br#"2{"kind":"queue","function":"a@2","queue":"q","batch_size":10,"format":"messages"}"#,
            br#"3{"kind":"s3","region":"r","access_key_id":"k","secret_key":{"secret":"s"},"endpoint":"http://h"}"#,
            b"4aGVsbG8=",
        ],
    },
    Target {
        name: "json_as_wit",
        run: engine::fuzz::json_as_wit,
        seeds: &[b"\0\0\0\0\0\0\0\0true", b"\x05\0\0\0\0\0\0\0[1,2.5,\"a\",null]", b"\x07\0\0\0\0\0\0\0{\"a\":{\"ok\":[\"b\"]}}"],
    },
    Target {
        name: "sqs",
        run: http::fuzz_sqs::request,
        seeds: &[
            br#"0{"QueueUrl":"http://h/shop/q","Entries":[{"Id":"a","MessageBody":"b"}],"Attributes":{"A":"1"}}"#,
            b"1Action=SendMessage&QueueUrl=http%3A%2F%2Fh%2Fshop%2Fq&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v",
        ],
    },
    Target {
        name: "signatures",
        run: signature::fuzz::request,
        seeds: &[
            b"GET\n/a%20b/../c//d\nb=2&a=%20x\nx-amz-meta: a  b\nbody",
            b"POST\n/\n\nauthorization: AWS4-HMAC-SHA256 Credential=K/20260102/r/sqs/aws4_request, SignedHeaders=host, Signature=00\n",
            b"PUT\n/v2/urn:fss\n\nauthorization: SDK-HMAC-SHA256 Access=K, SignedHeaders=host;x-sdk-date, Signature=00\n",
        ],
    },
    Target { name: "packages", run: http::fuzz_package::package, seeds: &[b"\0asm\x01\0\0\0", b"PK\x05\x06"] },
    Target {
        name: "images",
        run: oci::fuzz::sent,
        seeds: &[
            br#"0{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:0","size":2},"layers":[{"mediaType":"application/wasm","digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","size":8}]}"#,
            br#"0{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:0","size":8,"platform":{"os":"wasip1","architecture":"wasm"}}]}"#,
            b"1\0asm\x01\0\0\0",
        ],
    },
    Target { name: "records", run: store::fuzz::stored, seeds: &[b"\x00\x02", b"\x01\x02", b"\x05\x01"] },
];

/// Feeds the target of that name.
///
/// # Panics
/// If there is none, and where something that must be true is not.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target `{name}`")).run)(input);
}
