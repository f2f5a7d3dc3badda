use super::*;
use crate::engine::{Build, CodeId};

const SOURCE: &str = r#"(module $guest
  (func $_ZN4mill5grind17h0123456789abcdefE (param i32)
    local.get 0
    if
      unreachable
    end)
  (func (export "_start")
    i32.const 1
    call $_ZN4mill5grind17h0123456789abcdefE))"#;

fn with_debug_info() -> Bytes {
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    parser.parse_str(Some(Path::new("mill/guest.wat")), SOURCE).unwrap().into()
}

async fn trapped(debug_info: bool, module: Bytes) -> String {
    let engine = engine();
    let code = CodeId { digest: digest(&module), build: Build { debug_info, ..Build::default() } };
    let entrypoint = engine.inspect(code, module, None).await.unwrap();
    let ready = engine.load(code, &entrypoint, async { Err("it is in memory".to_owned()) }).await.unwrap();
    failure(engine.run(&ready, call("")).await).message
}

#[tokio::test]
async fn a_backtrace_names_functions_as_their_source_does() {
    let message = trapped(false, with_debug_info()).await;
    let (trap, frames) = message.split_once('\n').unwrap();
    assert_eq!(trap, "wasm trap: wasm `unreachable` instruction executed");
    assert!(frames.starts_with("  at guest!mill::grind\n  at guest!"), "{frames}");
    assert!(!frames.contains("guest.wat"), "{frames}");
}

#[tokio::test]
async fn a_version_with_debug_information_says_files_and_lines() {
    let message = trapped(true, with_debug_info()).await;
    let frames: Vec<_> = message.lines().skip(1).collect();
    assert_eq!(frames.len(), 2, "{message}");
    assert!(frames[0].contains("grind") && frames[0].contains("guest.wat:4:5"), "{message}");
    assert!(frames[1].contains("guest.wat:9:5"), "{message}");
}

#[tokio::test]
async fn a_version_that_asks_for_lines_of_a_module_without_them_has_names() {
    let message = trapped(true, from_text(SOURCE)).await;
    assert!(message.contains("\n  at guest!mill::grind\n"), "{message}");
}

#[tokio::test]
async fn a_backtrace_is_bounded_however_long_its_names_are() {
    let name = "n".repeat(90_000);
    let calls = format!(r#"(module (func ${name} unreachable) (func (export "_start") call ${name}))"#);
    let message = trapped(false, from_text(&calls)).await;
    let start = "wasm trap: wasm `unreachable` instruction executed\n  at <unknown>!nnn";
    assert!(message.starts_with(start), "{message}");
    assert!(message.len() < crate::model::bounds::MAX_MESSAGE_BYTES, "{}", message.len());
}

#[tokio::test]
async fn code_with_and_without_debug_information_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let module = with_debug_info();
    for _ in 0..2 {
        let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
        for debug_info in [false, true] {
            let code = CodeId { digest: digest(&module), build: Build { debug_info, ..Build::default() } };
            engine.inspect(code, module.clone(), None).await.unwrap();
        }
    }
    let mut sizes: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).collect();
    sizes.sort_unstable();
    assert!(sizes.len() == 2 && sizes[0] < sizes[1], "{sizes:?}");
}
