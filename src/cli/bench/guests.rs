//! The modules that are deployed, carried in the binary. Those that do harm, and one that only sleeps, are assembled from
//! `guests/hostile`; those that cost as little as a guest of their kind can, from `guests/bench`.

pub(super) const ECHO: &[u8] = include_bytes!("../../../guests/prebuilt/echo.wasm");
pub(super) const FLAKY: &[u8] = include_bytes!("../../../guests/prebuilt/flaky.wasm");
pub(super) const HELLO_COMMAND: &[u8] = include_bytes!("../../../guests/prebuilt/hello-command.wasm");
pub(super) const HELLO_HTTP: &[u8] = include_bytes!("../../../guests/prebuilt/hello-http.wasm");

/// `ECHO` with imports of WASI that it uses; that has none.
pub(super) const HANDLER_WASI: &[u8] = include_bytes!("../../../guests/prebuilt/bench/handler-wasi.wasm");
/// Answers with a text, as a component of `wasi:http` 0.2, in the fewest bytes.
pub(super) const HTTP: &[u8] = include_bytes!("../../../guests/prebuilt/bench/http.wasm");
/// Answers with a text, as a component of `wasi:http` 0.3.
pub(super) const HTTP_0_3: &[u8] = include_bytes!("../../../guests/prebuilt/bench/http-0.3.wasm");
/// Answers with its payload, as a core module.
pub(super) const RAW: &[u8] = include_bytes!("../../../guests/prebuilt/bench/raw.wasm");
/// Answers with its text, as a function that any component may export.
pub(super) const TYPED: &[u8] = include_bytes!("../../../guests/prebuilt/bench/typed.wasm");

/// Ends the process that runs it, where that was started with `--fault-injection`.
pub(super) const ABORT: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/abort.wasm");
/// Answers with its payload, in the fewest bytes.
pub(super) const SMALL_ECHO: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/echo.wasm");
/// Writes 1 GiB to stdout.
pub(super) const FLOOD: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/flood.wasm");
/// Leaves two invocations of itself to the queue.
pub(super) const FORK: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/fork.wasm");
/// Takes all the memory it can get.
pub(super) const GROW: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/grow.wasm");
/// Opens 10,000 handles.
pub(super) const HANDLES: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/handles.wasm");
/// Calls itself without end.
pub(super) const RECURSE: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/recurse.wasm");
/// Sleeps for as many milliseconds as its payload says.
pub(super) const SLEEP: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/sleep.wasm");
/// Takes all the elements of a table that it can get.
pub(super) const TABLE: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/table.wasm");
/// Never ends.
pub(super) const SPIN: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/spin.wasm");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, prebuilt: &[u8]) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let source = folder.join(format!("{name}.wat"));
        let assembled = wat::parse_file(&source).unwrap();
        let advice = format!("wasm-tools parse guests/{name}.wat -o guests/prebuilt/{name}.wasm");
        assert!(assembled == prebuilt, "the prebuilt {name} is not what its source gives: {advice}");
    }

    #[test]
    fn the_prebuilt_guests_that_are_texts_are_what_their_sources_give() {
        check("bench/handler-wasi", HANDLER_WASI);
        check("bench/http", HTTP);
        check("bench/http-0.3", HTTP_0_3);
        check("bench/raw", RAW);
        check("bench/typed", TYPED);
        check("hostile/abort", ABORT);
        check("hostile/echo", SMALL_ECHO);
        check("hostile/flood", FLOOD);
        check("hostile/fork", FORK);
        check("hostile/grow", GROW);
        check("hostile/handles", HANDLES);
        check("hostile/recurse", RECURSE);
        check("hostile/sleep", SLEEP);
        check("hostile/spin", SPIN);
        check("hostile/table", TABLE);
    }
}
