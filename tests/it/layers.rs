//! The shape of the tree, held by tests: who may use whom, and which things have one place.
//!
//! `src/lib.rs` declares the modules in reading order; each may use those above it and none below. With that no two
//! of them can use each other. The checker reads the text of the sources without comments and strings.

use std::fs;
use std::path::Path;

/// A source file: its path below `src`, and its text.
type Source = (String, String);

/// Something that has one place in the tree.
struct Place {
    /// What is looked for, at the start of a path or as a name.
    what: &'static str,
    /// Files and folders where it may stand, each with the reason.
    allowed: &'static [(&'static str, &'static str)],
}

const PLACES: [Place; 7] = [
    Place { what: "tokio::spawn", allowed: &[("tasks.rs", "every task has a name and an owner that waits for it")] },
    Place { what: "tokio::task::spawn", allowed: &[] },
    Place { what: "env::var", allowed: &[("cli/args.rs", "what stands for a flag that was not typed")] },
    Place { what: "std::env::var", allowed: &[] },
    Place {
        what: "StatusCode",
        allowed: &[
            ("http/", "what an error is in HTTP is decided here"),
            ("cli/client.rs", "reads the answers of a server"),
            ("engine/call.rs", "the status that a guest answered with"),
            ("engine/cgi.rs", "the status that a program answered with"),
            ("engine/entrypoint/http/", "the guest's own HTTP"),
            ("engine/tests.rs", "the guest's own HTTP"),
            ("engine/tests/http.rs", "the guest's own HTTP"),
        ],
    },
    Place { what: "sled::", allowed: &[("store/sled/", "the index, which is made with it")] },
    Place {
        what: "downcast_ref",
        allowed: &[
            ("engine/trap.rs", "the only reader of wasmtime's errors"),
            ("engine/output.rs", "a test of an error of its own"),
            ("outbound/tls.rs", "what TLS has against a server, which its caller is told"),
            ("tasks.rs", "the text of a panic"),
        ],
    },
];

#[test]
fn each_module_uses_only_those_declared_above_it() {
    let (modules, sources) = tree();
    assert!(modules.len() > 10, "{modules:?}");
    assert_eq!(upward(&modules, &sources), [""; 0]);
}

#[test]
fn what_has_one_place_stands_nowhere_else() {
    assert_eq!(misplaced(&PLACES, &tree().1), [""; 0]);
}

#[test]
fn the_architecture_names_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = fs::read_to_string(root.join("ARCHITECTURE.md")) else { return };
    let named = |module: &&String| {
        [format!("`{module}`"), format!("{module}/"), format!("{module}.rs")].iter().any(|form| text.contains(form))
    };
    let missing: Vec<_> = tree().0.into_iter().filter(|module| !named(&module)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_module_that_uses_one_below_it_is_found_however_it_is_written() {
    let modules = ["low", "middle", "high"].map(str::to_owned);
    let check = |path: &str, text: &str, complaints: &[&str]| {
        assert_eq!(upward(&modules, &[(path.to_owned(), text.to_owned())]), complaints, "{text}");
    };
    let high = "low/deep/file.rs uses crate::high, which is declared below it";
    check("low/deep/file.rs", "use crate::high::Thing;", &[high]);
    check("low/deep/file.rs", "fn f() { crate::high::call() }", &[high]);
    check("low/deep/file.rs", "use crate::{low::{middle, Other}, high};", &[high]);
    check("low/deep/file.rs", "use crate::{\n    high::{A, B},\n};", &[high]);
    check("low/deep/file.rs", "use super::super::high::Thing;", &[]);
    check("low/deep/file.rs", "use super::super::super::high::Thing;", &["low/deep/file.rs reaches high by super::"]);
    check("low.rs", "use super::middle::Thing;", &["low.rs reaches middle by super::"]);
    check("low/mod.rs", "use super::{middle::Thing, Other};", &["low/mod.rs reaches middle by super::"]);
    check("low.rs", "use super::*;\nfn f() {}", &["low.rs reaches everything by super::"]);
    check("low.rs", "mod tests {\n    use super::*;\n}", &[]);
    check("high.rs", "use crate::low::Thing; use crate::high::Other; use crate::middle;", &[]);
    check("low.rs", "// see crate::high\n/* crate::high */ const A: &str = \"crate::high\"; // crate::high", &[]);
    check(
        "low.rs",
        "const A: &str = r#\"\" crate::high \"#; const B: char = '\"'; use crate::high;",
        &["low.rs uses crate::high, which is declared below it"],
    );
    check("nowhere.rs", "", &["nowhere.rs belongs to no module that lib.rs declares"]);
}

#[test]
fn a_thing_out_of_its_place_is_found_and_so_is_an_exception_that_nothing_needs() {
    let places = [Place { what: "sled::", allowed: &[("store/", "here")] }];
    let check = |sources: &[(&str, &str)], complaints: &[&str]| {
        let sources: Vec<_> = sources.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(misplaced(&places, &sources), complaints);
    };
    let user = ("store/db.rs", "use sled::Db;");
    check(&[user, ("serve.rs", "use crate::store::embedded::Store; // sled::Db")], &[]);
    check(&[user, ("serve.rs", "use sled::Db;")], &["serve.rs has sled::"]);
    check(&[user, ("serve.rs", "use ::sled::Db;")], &["serve.rs has sled::"]);
    check(&[user, ("serve.rs", "type A = bobsled::B;")], &[]);
    check(&[], &["store/ does not need its exception for sled::"]);
}

/// The declared modules in order, and every file below `src` but the two roots.
fn tree() -> (Vec<String>, Vec<Source>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = code(&fs::read_to_string(src.join("lib.rs")).unwrap());
    let declared = lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    let modules = declared.map(|name| name.trim_end_matches(';').to_owned()).collect();
    let mut sources = Vec::new();
    read(&src, &src, &mut sources);
    sources.retain(|(path, _)| path != "lib.rs" && path != "main.rs");
    sources.sort();
    (modules, sources)
}

fn read(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            sources.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// What is wrong with who uses whom.
fn upward(modules: &[String], sources: &[Source]) -> Vec<String> {
    let place = |name: &str| modules.iter().position(|module| module == name);
    let mut complaints = Vec::new();
    for (path, text) in sources {
        let segments: Vec<_> = path.trim_end_matches(".rs").split('/').filter(|name| *name != "mod").collect();
        let Some(own) = place(segments[0]) else {
            complaints.push(format!("{path} belongs to no module that lib.rs declares"));
            continue;
        };
        let code = code(text);
        for name in used(&code, "crate::") {
            if place(&name).is_some_and(|other| other > own) {
                complaints.push(format!("{path} uses crate::{name}, which is declared below it"));
            }
        }
        // From a file that is `n` modules deep, `super::` said `n` times is the crate.
        for name in used(&code, &"super::".repeat(segments.len())) {
            if place(&name).is_some() {
                complaints.push(format!("{path} reaches {name} by super::"));
            }
        }
        if segments.len() == 1 && code.lines().any(|line| line.starts_with("use super::*")) {
            complaints.push(format!("{path} reaches everything by super::"));
        }
    }
    complaints
}

/// The names that follow `prefix` where it starts a path, also those in a group.
fn used(code: &str, prefix: &str) -> Vec<String> {
    let starts = code.match_indices(prefix).filter(|(at, _)| starts_path(code, *at));
    starts.flat_map(|(at, _)| names(&code[at + prefix.len()..])).collect()
}

/// Whether what stands at `at` is the first name of a path.
fn starts_path(code: &str, at: usize) -> bool {
    let before = code[..at].strip_suffix("::").unwrap_or(&code[..at]);
    !before.ends_with(is_of_name)
}

fn is_of_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The name at the start of `rest`, or those of the outermost level of the group there.
fn names(rest: &str) -> Vec<String> {
    let Some(group) = rest.trim_start().strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![name(group)];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name(&group[at + 1..])),
            _ => (),
        }
    }
    names
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_of_name(*c)).collect()
}

/// What stands where it does not belong, and exceptions that nothing needs.
fn misplaced(places: &[Place], sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for Place { what, allowed } in places {
        let has = |text: &str| {
            let code = code(text);
            let ends = |at: usize| what.ends_with(':') || !code[at + what.len()..].starts_with(is_of_name);
            // A path counts where it begins, a name wherever it stands.
            code.match_indices(what).any(|(at, _)| ends(at) && (starts_path(&code, at) || !what.contains("::")))
        };
        let found: Vec<_> = sources.iter().filter(|(_, text)| has(text)).map(|(path, _)| path).collect();
        let covers = |place: &str, path: &str| path.starts_with(place);
        let outside = found.iter().filter(|path| !allowed.iter().any(|(place, _)| covers(place, path)));
        complaints.extend(outside.map(|path| format!("{path} has {what}")));
        let unneeded = allowed.iter().filter(|(place, _)| !found.iter().any(|path| covers(place, path)));
        complaints.extend(unneeded.map(|(place, _)| format!("{place} does not need its exception for {what}")));
    }
    complaints
}

/// `text` without its comments and the insides of its strings.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#") => raw_string(rest),
            '"' => string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(c);
        }
        rest = &rest[skipped.max(if skipped == 0 { c.len_utf8() } else { 0 })..];
    }
    code
}

/// The length of the string that `text` starts with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the raw string that `text` starts with; 0 where `r` begins something else.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = 1 + hashes;
    if !text[open..].starts_with('"') {
        return 0; // a raw name
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |end| open + 1 + end + close.len())
}

/// The length of the character that `text` starts with; 0 where it is a lifetime.
fn character(text: &str) -> usize {
    let inside: Vec<_> = text.chars().skip(1).take(2).collect();
    match inside[..] {
        ['\\', _] => text[3..].find('\'').map_or(0, |end| end + 4),
        [c, '\''] => c.len_utf8() + 2,
        _ => 0,
    }
}
