//! Counts the text on stdin and prints `{"lines":2,"words":12,"bytes":61}` on stdout; `--top N` adds the N most
//! frequent words as `"top":[{"word":"the","count":3},...]`, those of equal count in alphabetical order.
//!
//! A word is what stands between white space, as it is written; the last line counts with or without its line end.
//! One line of log goes to stderr. Exit codes: 0, 64 for arguments it does not know, 65 for text that is not UTF-8
//! (which makes the failure a permanent one), 74 when stdin or stdout cannot be used.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    env,
    fmt::Display,
    io::{self, Read, Write},
    process::ExitCode,
};

use serde::Serialize;

/// What is printed.
#[derive(Serialize)]
struct Count<'text> {
    lines: usize,
    words: usize,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<Vec<Frequency<'text>>>,
}

#[derive(Serialize)]
struct Frequency<'text> {
    word: &'text str,
    count: usize,
}

/// Why nothing was counted: the message for stderr and the exit code.
struct Refusal {
    message: String,
    code: u8,
}

const USAGE: u8 = 64;
const BAD_DATA: u8 = 65;
const IO_ERROR: u8 = 74;

fn main() -> ExitCode {
    match run() {
        Ok(words) => {
            eprintln!("counted {words} words");
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("{}", refusal.message);
            ExitCode::from(refusal.code)
        }
    }
}

fn run() -> Result<usize, Refusal> {
    let top = read_arguments()?;
    let text = read_text()?;
    let count = count(&text, top);
    print(&count)?;
    Ok(count.words)
}

/// The N of `--top N`.
fn read_arguments() -> Result<Option<usize>, Refusal> {
    let arguments: Vec<_> = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(None),
        ["--top", number] => {
            number.parse().map(Some).map_err(|error| refusal(USAGE, "--top wants a number of words", error))
        }
        _ => Err(refusal(USAGE, "the only arguments are `--top N`, not", arguments.join(" "))),
    }
}

fn read_text() -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| refusal(IO_ERROR, "cannot read stdin", error))?;
    String::from_utf8(bytes).map_err(|error| refusal(BAD_DATA, "the text is not UTF-8", error))
}

fn count(text: &str, top: Option<usize>) -> Count<'_> {
    Count {
        lines: text.lines().count(),
        words: text.split_whitespace().count(),
        bytes: text.len(),
        top: top.map(|limit| most_frequent(text, limit)),
    }
}

fn most_frequent(text: &str, limit: usize) -> Vec<Frequency<'_>> {
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word).or_insert(0) += 1;
    }
    let mut frequencies: Vec<_> = counts.into_iter().map(|(word, count)| Frequency { word, count }).collect();
    // The map's order is the alphabet's, and a stable sort keeps it among equals.
    frequencies.sort_by_key(|frequency| Reverse(frequency.count));
    frequencies.truncate(limit);
    frequencies
}

fn print(count: &Count) -> Result<(), Refusal> {
    let json = serde_json::to_string(count).map_err(|error| refusal(IO_ERROR, "cannot write the count", error))?;
    writeln!(io::stdout(), "{json}").map_err(|error| refusal(IO_ERROR, "cannot write to stdout", error))
}

fn refusal(code: u8, what: &str, why: impl Display) -> Refusal {
    Refusal { message: format!("{what}: {why}"), code }
}
