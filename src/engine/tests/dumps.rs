//! Core dumps, as tools that know nothing of this program read them.

use wasmparser::{
    CoreDumpInstancesSection, CoreDumpModulesSection, CoreDumpSection, CoreDumpStackSection, Parser, Payload,
};

use super::*;

/// What such a tool finds in a dump.
#[derive(Debug, Default)]
struct Seen {
    program: String,
    modules: usize,
    instances: usize,
    /// Places of functions, the innermost first.
    frames: Vec<u32>,
    memories: usize,
    data: Vec<u8>,
}

fn read(dump: &[u8]) -> Seen {
    let mut seen = Seen::default();
    for payload in Parser::new(0).parse_all(dump) {
        match payload.unwrap() {
            Payload::CustomSection(section) => {
                let data = wasmparser::BinaryReader::new(section.data(), section.data_offset());
                match section.name() {
                    "core" => seen.program = CoreDumpSection::new(data).unwrap().name.to_owned(),
                    "coremodules" => seen.modules = CoreDumpModulesSection::new(data).unwrap().modules.len(),
                    "coreinstances" => seen.instances = CoreDumpInstancesSection::new(data).unwrap().instances.len(),
                    "corestack" => {
                        let stack = CoreDumpStackSection::new(data).unwrap();
                        seen.frames = stack.frames.iter().map(|frame| frame.funcidx).collect();
                    }
                    _ => (),
                }
            }
            Payload::MemorySection(memories) => seen.memories = memories.count() as usize,
            Payload::DataSection(data) => {
                seen.data.extend(data.into_iter().flat_map(|data| data.unwrap().data.to_vec()));
            }
            _ => (),
        }
    }
    seen
}

/// Traps two calls deep with a text in its memory.
fn grind() -> Bytes {
    from_text(
        r#"(module $mill
             (memory (export "memory") 2)
             (data (i32.const 70000) "flotsam")
             (func $grind (i32.store (i32.const 131070) (i32.const 0)))
             (func (export "_start") (call $grind)))"#,
    )
}

fn dumping() -> Version {
    Version { core_dump: true, ..version() }
}

async fn ran(module: Bytes, version: Version) -> Ran {
    let engine = engine();
    let ready = deploy_for(&engine, module, &version).await;
    engine.run(&ready, Call { version: Arc::new(version), ..call("") }).await
}

#[tokio::test]
async fn a_trap_leaves_a_dump_with_memory_and_stack_where_its_version_wants_one_and_is_told_the_same() {
    let with = ran(grind(), dumping()).await;
    let seen = read(&with.core_dump.unwrap());
    assert_eq!((&*seen.program, seen.modules, seen.instances, seen.memories), ("guest", 1, 1, 1), "{seen:?}");
    assert_eq!((seen.frames, &seen.data[..]), (vec![0, 1], &b"flotsam"[..]));
    let log = String::from_utf8(with.log.to_vec()).unwrap();
    assert!(log.starts_with("tidemill: a core dump of ") && log.ends_with(" bytes is kept for a while\n"), "{log}");
    let without = ran(grind(), version()).await;
    assert!(without.core_dump.is_none() && without.log.is_empty());
    assert_eq!(with.end.unwrap_err(), without.end.unwrap_err());
}

#[tokio::test]
async fn components_and_guests_out_of_stack_or_fuel_leave_dumps_and_those_that_end_by_themselves_none() {
    let dump = ran(guest("prebuilt/flaky.wasm"), dumping()).await;
    assert!(dump.core_dump.is_none(), "{:?}", dump.end);
    let deep = ran(guest("hostile/recurse.wat"), dumping()).await;
    assert_eq!(read(&deep.core_dump.unwrap()).frames.len(), crate::model::bounds::MAX_FRAMES.get());
    assert_eq!(deep.end.unwrap_err().kind, FailureKind::StackOverflow);
    let limits = Limits { fuel: Some(1_000), ..version().limits };
    let spent = ran(guest("hostile/spin.wat"), Version { limits, ..dumping() }).await;
    assert!(!read(&spent.core_dump.unwrap()).frames.is_empty());
    let (limits, typed) = (Limits { fuel: Some(10), ..version().limits }, guest("prebuilt/echo.wasm"));
    let component = ran(typed, Version { limits, ..dumping() }).await;
    assert!(read(&component.core_dump.unwrap()).instances >= 1);
}

#[tokio::test]
async fn code_is_the_same_with_and_without_dumps() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
    for version in [version(), dumping()] {
        deploy_for(&engine, grind(), &version).await;
    }
    assert_eq!((engine.compiled(), engine.engines_made()), (1, 2));
}

#[tokio::test]
async fn of_a_guest_with_much_memory_it_is_said_that_there_is_no_dump() {
    let module = from_text(r#"(module (memory (export "memory") 1100) (func (export "_start") unreachable))"#);
    let limits = Limits { memory_bytes: 128 * MIB, ..version().limits };
    let big = ran(module, Version { limits, ..dumping() }).await;
    let log = String::from_utf8(big.log.to_vec()).unwrap();
    assert!(big.core_dump.is_none() && log.starts_with("tidemill: no core dump: the function has 72089600"), "{log}");
}

#[tokio::test]
async fn a_guest_with_globals_that_no_dump_can_hold_harms_nobody() {
    let module = from_text(
        r#"(module (global (mut exnref) (ref.null exn)) (memory (export "memory") 1)
             (func (export "_start") unreachable))"#,
    );
    let odd = ran(module, dumping()).await;
    assert_eq!(odd.end.unwrap_err().kind, FailureKind::Trap);
}
