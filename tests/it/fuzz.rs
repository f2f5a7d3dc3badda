//! The short form of fuzzing: every target of `src/fuzz` takes its corpus, and then for a moment what is made of it by
//! chance. The same inputs each time, so that a failure is one for everybody; for longer, and with others,
//! `TIDEMILL_FUZZ_SECONDS=60 TIDEMILL_FUZZ_SEED=7 cargo test --test it fuzz::whatever`. The long form is `tests/fuzz/run`, with
//! a fuzzer that sees which code an input reaches.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill::fuzz::{TARGETS, Target};
use tokio::time::Instant;

/// How many inputs are made for one target, where nobody has said for how long.
const MOST: usize = 20_000;
/// The longest input that is made.
const MOST_BYTES: usize = 64 * 1_024;

#[test]
fn whatever_comes_is_refused_or_read_and_nothing_panics() {
    let failing: Vec<_> = TARGETS.iter().filter_map(|target| fed(target).err()).collect();
    assert!(failing.is_empty(), "{}", failing.join("\n"));
}

/// Feeds one target; what it fails with is kept in a file, which `tests/fuzz/corpus` can take.
fn fed(target: &Target) -> Result<(), String> {
    let seeds = seeds(target);
    seeds.iter().try_for_each(|seed| feed(target, seed))?;
    let (longer, seed) = (said("TIDEMILL_FUZZ_SECONDS"), said("TIDEMILL_FUZZ_SEED"));
    let (most, moment) = longer.map_or((MOST, Duration::from_secs(1)), |s| (usize::MAX, Duration::from_secs(s)));
    let (mut dice, begun, mut count) = (Dice(seed.unwrap_or(0x7469_6465_6d69_6c6c)), Instant::now(), 0);
    while count < most && begun.elapsed() < moment {
        let input = made(&mut dice, &seeds);
        if longer.is_some() {
            fs::write(kept(target), &input).unwrap(); // it may end the process
        }
        feed(target, &input)?;
        count += 1;
    }
    assert!(count > 0, "`{}` was fed with nothing but its seeds", target.name);
    Ok(())
}

#[test]
fn every_target_can_be_fed_by_a_fuzzer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    // `run` takes those that stand in the folder.
    assert_eq!(files(&root.join("targets")).len(), TARGETS.len());
    for Target { name, .. } in &TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "tests/fuzz/Cargo.toml has no `{name}`");
        let text = fs::read_to_string(root.join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("fuzz::run(\"{name}\"")), "{text}");
    }
}

/// A number in the environment.
fn said(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn feed(target: &Target, input: &[u8]) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|_panic| {
        fs::write(kept(target), input).unwrap();
        format!("`{}` fails with what stands in {}", target.name, kept(target).display())
    })
}

/// Where an input is kept that a target fails with.
fn kept(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name))
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<_> = target.seeds.iter().map(|seed| seed.to_vec()).collect();
    seeds.extend(files(&root.join("tests/fuzz/corpus").join(target.name)).into_iter().map(|(_, bytes)| bytes));
    match target.name {
        "module" => {
            for folder in ["bench", "hostile", "typed", "async", "prebuilt"] {
                let modules = files(&root.join("guests").join(folder)).into_iter();
                let modules = modules.filter(|(path, bytes)| {
                    let is_module = path.extension().is_some_and(|ending| ending == "wat" || ending == "wasm");
                    is_module && bytes.len() < MOST_BYTES
                });
                seeds.extend(modules.map(|(_, bytes)| wat::parse_bytes(&bytes).unwrap().into_owned()));
            }
        }
        "records" => {
            for (kind, name) in ["invocation", "function", "version"].into_iter().enumerate() {
                let hex = fs::read_to_string(root.join(format!("tests/fixtures/store/{name}-2.hex"))).unwrap();
                let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
                let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
                seeds.push(
                    [&[u8::try_from(kind).unwrap()][..], &digits.chunks(2).map(byte).collect::<Vec<_>>()].concat(),
                );
            }
        }
        _ => (),
    }
    seeds
}

/// The files of a folder in order of their names; none where there is no folder.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let read = |path: PathBuf| (fs::read(&path).unwrap(), path);
    paths.into_iter().map(read).map(|(bytes, path)| (path, bytes)).collect()
}

/// A seed with a few things done to it.
fn made(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        match dice.below(7) {
            0 if at < input.len() => input[at] ^= 1 << dice.below(8),
            1 if at < input.len() => input[at] = dice.byte(),
            2 => input.insert(at, dice.byte()),
            3 => drop(input.drain(at..(at + 1 + dice.below(8)).min(input.len()).max(at))),
            4 => {
                let (other, from) = (&seeds[dice.below(seeds.len())], dice.below(1 << 16));
                let from = from % (other.len() + 1);
                let part = &other[from..(from + dice.below(64)).min(other.len())];
                drop(input.splice(at..at, part.iter().copied()));
            }
            5 => {
                const WORDS: [&[u8]; 16] = [
                    b"\0",
                    b"\xff\xff\xff\xff",
                    b"\x7f",
                    b"\x80\x80\x80\x80\x10",
                    b"/",
                    b"..",
                    b"%",
                    b"%2e",
                    b":",
                    b"@",
                    b"[",
                    b"{\"a\":",
                    b"\"",
                    b"-0",
                    b"1e999",
                    "\u{1f30a}".as_bytes(),
                ];
                drop(input.splice(at..at, WORDS[dice.below(WORDS.len())].iter().copied()));
            }
            _ => {
                // The same again, many times: what nests, nests deep.
                let part = input[at..(at + 1 + dice.below(6)).min(input.len())].to_vec();
                let again = part.repeat(1 << dice.below(11));
                drop(input.splice(at..at, again));
            }
        }
        input.truncate(MOST_BYTES);
    }
    input
}

/// Random numbers from a seed (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}
