//! The modules that are deployed, carried in the binary. Those that do harm, and one that only sleeps, are assembled from
//! `guests/hostile`.

pub(super) const ECHO: &[u8] = include_bytes!("../../../guests/prebuilt/echo.wasm");
pub(super) const FLAKY: &[u8] = include_bytes!("../../../guests/prebuilt/flaky.wasm");

/// Ends the process that runs it, where that was started with `--fault-injection`.
pub(super) const ABORT: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/abort.wasm");
/// Writes 1 GiB to stdout.
pub(super) const FLOOD: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/flood.wasm");
/// Takes all the memory it can get.
pub(super) const GROW: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/grow.wasm");
/// Calls itself without end.
pub(super) const RECURSE: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/recurse.wasm");
/// Sleeps for as many milliseconds as its payload says.
pub(super) const SLEEP: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/sleep.wasm");
/// Never ends.
pub(super) const SPIN: &[u8] = include_bytes!("../../../guests/prebuilt/hostile/spin.wasm");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, prebuilt: &[u8]) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
        let source = folder.join(format!("hostile/{name}.wat"));
        let assembled = wat::parse_file(&source).unwrap();
        let advice = format!("wasm-tools parse guests/hostile/{name}.wat -o guests/prebuilt/hostile/{name}.wasm");
        assert!(assembled == prebuilt, "the prebuilt {name} is not what its source gives: {advice}");
    }

    #[test]
    fn the_prebuilt_hostile_guests_are_what_their_sources_give() {
        check("abort", ABORT);
        check("flood", FLOOD);
        check("grow", GROW);
        check("recurse", RECURSE);
        check("sleep", SLEEP);
        check("spin", SPIN);
    }
}
