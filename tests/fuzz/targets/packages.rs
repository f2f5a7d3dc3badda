#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tidemill::fuzz::run("packages", input));
