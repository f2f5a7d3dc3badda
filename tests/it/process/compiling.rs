//! Modules that are made to be hard on a compiler, `tidemill compile` by hand, and code that is on disk and not in memory.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::support::{Answer, Server, prebuilt, prebuilt_path, run};

const MIB: u64 = 1_024 * 1_024;

/// How it goes on is what was too much: processor time, or, on a machine that is busy with other things, time.
const TOO_LONG: &str = "compiling this module takes too much: more than ";

/// An unsigned LEB128 number.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], &number(content.len())[..], content].concat()
}

/// A command with functions of this code, one after the other; the first is what is called.
fn command(functions: &[Vec<u8>]) -> Vec<u8> {
    let count = number(functions.len());
    let types = [&count[..], &vec![0; functions.len()]].concat();
    let code: Vec<u8> = functions.iter().flat_map(|code| [number(code.len()), code.clone()].concat()).collect();
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, b"\x01\x60\0\0"),
        section(3, &types),
        section(7, b"\x01\x06_start\0\0"),
        section(10, &[count, code].concat()),
    ]
    .concat()
}

/// A megabyte of branches over forty locals: more than 20 s for a compiler.
fn branches() -> Vec<u8> {
    let local = |n: usize| u8::try_from(n % 40).unwrap();
    let one = |n: usize| [0x20, local(n), 0x04, 0x40, 0x20, local(n * 7), 0x41, 1, 0x6a, 0x21, local(n * 13), 0x0b];
    let code = (0..80_000).flat_map(one);
    b"\x01\x28\x7f".iter().copied().chain(code).chain([0x0b]).collect()
}

/// A component with types within types.
fn deep_types(depth: usize) -> Vec<u8> {
    let types = [&b"\x01"[..], &b"\x41\x01\x01".repeat(depth), b"\x41\0"].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(7, &types)].concat()
}

fn exports(count: usize) -> Vec<u8> {
    let exports = (1..count).map(|n| format!(r#"(export "e{n}" (func 0))"#)).collect::<Vec<_>>().concat();
    wat::parse_str(format!(r#"(module (func (export "_start")) {exports})"#)).unwrap()
}

/// A command that answers with `n`.
fn numbered(n: usize) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 1)
             (data (i32.const 0) "\10\00\00\00\04\00\00\00")
             (data (i32.const 16) "{n:04}")
             (func (export "_start")
               (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    ))
    .unwrap()
}

async fn put(server: &Server, module: Vec<u8>) -> Answer {
    server.put("/v1/functions/hostile", module).await
}

#[track_caller]
fn check_refused(answer: &Answer, why: &str) {
    answer.refusal(422, "module_refused", why);
}

#[tokio::test]
async fn each_hostile_module_is_refused_for_what_it_is_and_the_server_stays_as_it_was() {
    let limits = ["--store", "memory", "--compile-cpu", "2s", "--compile-memory", "512MiB"];
    let server = Server::with(&limits).await.expecting(&["the compiler crashed"]);
    server.deploy("echo", prebuilt("echo")).await;
    server.invoke("echo", "before").await.is(200);
    let before = server.rss_bytes();

    put(&server, exports(10_000)).await.is(201);
    check_refused(&put(&server, exports(20_001)).await, "the number of exports is 20001, and at most 20000");
    let body = [&b"\0"[..], &vec![1; 10_000_000], b"\x0b"].concat();
    check_refused(&put(&server, command(&[body])).await, "is 10000002, and at most 1048576 is allowed");
    let loops = [&b"\0"[..], &b"\x03\x40".repeat(100_000), &vec![0x0b; 100_001]].concat();
    check_refused(&put(&server, command(&[loops])).await, "the nesting of blocks of the function at offset");
    let locals = [&b"\x01"[..], &number(49_000), b"\x7f\x0b"].concat();
    check_refused(&put(&server, command(&[locals])).await, "the number of locals of the function at offset");
    check_refused(
        &put(&server, deep_types(49_000)).await,
        "compiling this module takes too much: the compiler crashed on it",
    );
    check_refused(&put(&server, deep_types(500_000)).await, "the number of types is 50001, and at most 50000");
    let names = "m".repeat(60_000);
    let group =
        [&b"\x01"[..], &number(names.len()), names.as_bytes(), b"\0\x7e\0\0", &number(100_000), &vec![0; 100_000]];
    let imports = [b"\0asm\x01\0\0\0".to_vec(), section(2, &group.concat())].concat();
    check_refused(&put(&server, imports).await, "the number of imports is 100000, and at most 20000");
    check_refused(&put(&server, command(&[branches()])).await, TOO_LONG);
    check_refused(&put(&server, b"(module)".to_vec()).await, "it is in the text format");
    let noise: Vec<u8> = (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    check_refused(&put(&server, noise.clone()).await, "not a valid WebAssembly module");
    check_refused(&put(&server, [b"\0asm\x01\0\0\0".to_vec(), noise].concat()).await, "not a valid WebAssembly module");

    server.invoke("echo", "after").await.is(200);
    server.deploy("again", prebuilt("upper")).await;
    let grown = server.rss_bytes().saturating_sub(before);
    assert!(grown < 96 * MIB, "{} MiB more than before", grown / MIB);
}

#[tokio::test]
async fn a_compilation_that_takes_all_memory_ends_alone() {
    let limits = ["--store", "memory", "--compile-cpu", "60s", "--compile-memory", "256MiB"];
    let server = Server::with(&limits).await;
    let empty = vec![b"\0\x0b".to_vec(); 100_000];
    check_refused(&put(&server, command(&empty)).await, "takes too much: more than 268435456 bytes of memory");
    server.deploy("echo", prebuilt("echo")).await;
    server.invoke("echo", "after").await.is(200);
}

#[tokio::test]
async fn others_are_answered_while_modules_compile_for_as_long_as_they_may() {
    let server = Server::with(&["--store", "memory", "--compile-cpu", "2s"]).await;
    server.deploy("echo", prebuilt("echo")).await;
    let bomb = command(&[branches()]);
    let bombs = futures::future::join_all((0..3).map(|_| put(&server, bomb.clone())));
    let mut bombs = std::pin::pin!(bombs);
    let mut answered = 0;
    let refused = loop {
        tokio::select! {
            refused = &mut bombs => break refused,
            answer = server.invoke("echo", "beside") => { answer.is(200); }
        }
        answered += 1;
    };
    for answer in refused {
        check_refused(&answer, TOO_LONG);
    }
    // However slow the machine is: one that waited for them would be answered once.
    assert!(answered > 3, "{answered} echoes were answered beside six seconds of compiling");
}

#[tokio::test]
async fn functions_that_are_deployed_are_on_disk_and_called_from_there() {
    const COUNT: usize = 40;
    let server = Server::with(&["--loaded-code-bytes", "67108864"]).await;
    for n in 0..COUNT {
        server.deploy(&format!("f{n}"), numbered(n)).await;
    }
    let server = server.terminated().await.restarted().await;
    for n in 0..COUNT {
        assert_eq!(server.invoke(&format!("f{n}"), "").await.is(200).text(), format!("{n:04}"));
    }
    assert_eq!(cached(server.folder()).len(), COUNT);
}

#[tokio::test]
async fn a_folder_for_compiled_code_that_is_no_use_is_no_fault_of_a_module() {
    let said = ["compiled code cannot be read now", "a module could not be compiled", "a request failed"];
    let server = Server::durable().await.expecting(&said);
    let cache = server.folder().join("tidemill-data/cache");
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "something else").unwrap();
    let problem = put(&server, prebuilt("echo")).await.problem(503, "compiler_failed");
    assert_eq!((&problem["fault"], &problem["effect"]), (&json!("platform"), &json!("none")));
    fs::remove_file(&cache).unwrap();
    server.deploy("echo", prebuilt("echo")).await;
    server.invoke("echo", "after").await.is(200);
}

#[tokio::test]
async fn a_trap_of_a_version_with_debug_information_is_told_with_file_and_line() {
    let source = "(module\n  (func $grind unreachable)\n  (func (export \"_start\")\n    call $grind))";
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    let module = parser.parse_str(Some(Path::new("mill.wat")), source).unwrap();
    let server = Server::in_memory().await;
    let told = async |debug_info: bool| {
        server.deploy_with("trap", module.clone(), &json!({"debug_info": debug_info})).await;
        let problem = server.invoke("trap", "").await.problem(502, "function_failed");
        problem["detail"].as_str().unwrap().to_owned()
    };
    let lines = told(true).await;
    assert!(lines.contains("mill.wat:2:") && lines.contains("mill.wat:4:"), "{lines}");
    let names = told(false).await;
    assert!(names.contains("grind") && !names.contains("mill.wat"), "{names}");
}

/// The files of compiled code, with when they were made.
fn cached(folder: &Path) -> Vec<(String, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let files = fs::read_dir(folder.join("tidemill-data/cache")).unwrap().map(Result::unwrap);
    let mut files: Vec<_> =
        files.map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().ino())).collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_module_that_was_compiled_by_hand_spares_the_server_the_work() {
    let server = Server::durable().await;
    let cache = server.folder().join("tidemill-data/cache");
    let module = prebuilt_path("echo");
    let arguments = ["compile".as_ref(), module.as_os_str(), "--output".as_ref(), cache.as_os_str()];
    let compiled = run(&server, &arguments).await.exits(0);
    assert!(compiled.text().trim_end().ends_with(".cwasm is compiled"), "{}", compiled.text());
    let by_hand = cached(server.folder());
    server.deploy("echo", prebuilt("echo")).await;
    server.invoke("echo", "tide").await.is(200);
    assert_eq!((by_hand.len(), cached(server.folder())), (1, by_hand));
}

#[tokio::test]
async fn what_cannot_be_compiled_by_hand_is_told_with_an_exit_code() {
    let server = Server::in_memory().await;
    let folder = server.folder().to_owned();
    let (text, out) = (folder.join("text.wat"), folder.join("out.cwasm"));
    fs::write(&text, "(module)").unwrap();
    let compile = async |file: &Path, out: &Path, code, told: &str| {
        let done =
            run(&server, &["compile".as_ref(), file.as_os_str(), "-o".as_ref(), out.as_os_str()]).await.exits(code);
        assert!(done.err.contains(told), "{}", done.err);
        assert!(!folder.join("out.cwasm").exists());
    };
    compile(&text, &out, 4, "this is not a valid WebAssembly module: it is in the text format").await;
    compile(&folder.join("none.wasm"), &out, 2, "cannot read").await;
    compile(&prebuilt_path("echo"), &folder.join("no/such/out.cwasm"), 2, "cannot write").await;
}
