//! The only place that writes to standard output and standard error. A reader that goes away is an
//! [`Error::Output`], never a panic; what cannot be told on standard error is not told.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Table, presets};

use super::api::Answer;
use super::error::Error;

/// How answers are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    /// As the API gave them, for programs.
    pub(super) json: bool,
}

impl Output {
    /// Shows an answer: as it came, or as `text` makes it readable.
    pub(super) fn answer<T>(self, answer: &Answer<T>, text: impl FnOnce(&T) -> String) -> Result<(), Error> {
        if self.json { line(&answer.raw) } else { line(&text(&answer.value)) }
    }
}

/// Writes `text` and a line's end, but for an empty text.
pub(super) fn line(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    bytes(format!("{text}{end}").as_bytes())
}

/// Writes `bytes` as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::Output)
}

/// Ends the line that `last` was on where a person is looking; programs get the bytes and nothing else.
pub(super) fn end_line(last: Option<u8>) -> Result<(), Error> {
    match last {
        Some(byte) if byte != b'\n' && io::stdout().is_terminal() => bytes(b"\n"),
        _ => Ok(()),
    }
}

/// Tells the person something that is no answer.
pub(super) fn note(text: &str) {
    note_bytes(format!("{text}\n").as_bytes());
}

/// Shows `text` in the place of the status shown before; an empty one takes it away.
pub(super) fn status(text: &str) {
    note_bytes(format!("\r\x1b[K{text}").as_bytes());
}

/// Whether something else than a person's keyboard stands at standard input.
pub(super) fn is_stdin_piped() -> bool {
    !io::stdin().is_terminal()
}

/// Whether a person sees standard error at once.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

fn note_bytes(bytes: &[u8]) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(bytes).and_then(|()| stderr.flush());
}

/// `text` without control characters, which could move the cursor or end a line: functions write messages.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A table: no borders, two spaces between columns.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = empty_table();
    table.set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.map(|cell| plain(&cell))));
    finish(table)
}

/// Names and values, one a line.
pub(super) fn pairs(rows: impl IntoIterator<Item = (&'static str, String)>) -> String {
    let mut table = empty_table();
    table.add_rows(rows.into_iter().map(|(name, value)| [name.to_owned(), plain(&value)]));
    finish(table)
}

fn empty_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn finish(mut table: Table) -> String {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.trim_fmt()
}

/// `-` for nothing.
pub(super) fn or_dash(text: impl Into<Option<String>>) -> String {
    text.into().filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_borders_and_no_space_at_the_end_of_lines() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "2".to_owned()]];
        assert_eq!(table(["NAME", "VERSION"], rows), "NAME    VERSION\na       1\nlonger  2");
    }

    #[test]
    fn what_a_function_wrote_cannot_break_a_table() {
        let rows = [["boom\n\x1b[2Jgone".to_owned()]];
        assert_eq!(table(["ERROR"], rows), "ERROR\nboom  [2Jgone");
    }

    #[test]
    fn pairs_stand_below_one_another() {
        assert_eq!(pairs([("name", "a".to_owned()), ("created", "now".to_owned())]), "name     a\ncreated  now");
    }

    #[test]
    fn nothing_is_a_dash() {
        assert_eq!([or_dash(None), or_dash(String::new()), or_dash("x".to_owned())], ["-", "-", "x"]);
    }
}
