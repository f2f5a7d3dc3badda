//! From the text of a file to its tables: what cannot be read is refused with its line, and an unknown key with the
//! nearest that there is.

use std::ops::Range;

use super::file::File;

/// Letters that may differ between a key that was meant and the one that was written, for each five of it.
const SLIPS: usize = 2;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct Wrong {
    /// From 1.
    pub(super) line: usize,
    /// What is wrong there, and what to do.
    pub(super) what: String,
}

/// The lines of a file, to tell where something stands.
#[derive(Debug)]
pub(super) struct Lines<'a>(pub(super) &'a str);

impl Lines<'_> {
    /// What is wrong at these bytes of the file.
    pub(super) fn wrong(&self, at: &Range<usize>, what: String) -> Wrong {
        let before = &self.0[..self.0.floor_char_boundary(at.start.min(self.0.len()))];
        Wrong { line: before.matches('\n').count() + 1, what }
    }
}

/// Reads the tables of a file.
pub(super) fn read(text: &str) -> Result<File, Wrong> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().unwrap_or_default();
        Lines(text).wrong(&at, told(error.message()))
    })
}

/// What serde says of an unknown key, with the nearest one in place of them all.
fn told(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut words = rest.split('`').skip(1).step_by(2);
    let written = words.next().unwrap_or_default();
    let known: Vec<_> = words.collect();
    match nearest(written, &known) {
        Some(near) => format!("`{written}` is no key here: did you mean `{near}`?"),
        None => format!("`{written}` is no key here: there are {}", listed(&known)),
    }
}

/// The known word that is most like `written`, if any is like it.
pub(super) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let most = SLIPS * written.len().div_ceil(5);
    let distances = known.iter().map(|word| (strsim::damerau_levenshtein(&written, word), *word));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    // A word within the other is meant too: `retries` for `max_retries`.
    let within = || known.iter().copied().find(|word| written.len() > 3 && word.contains(&written));
    if distance <= most { Some(near) } else { within() }
}

/// Words with commas, each as it is typed.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, line: usize, what: &str) {
        assert_eq!(read(text).unwrap_err(), Wrong { line, what: what.to_owned() }, "{text}");
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_there_is() {
        let memory = "`memry` is no key here: did you mean `memory`?";
        check("[functions.a]\nmodule = \"a.wasm\"\nmemry = \"1MiB\"", 3, memory);
        check("[functions.a]\nmodule = \"a.wasm\"\n[functions.a.async]\nretries = 1", 4, {
            "`retries` is no key here: did you mean `max_retries`?"
        });
        check("[funtions.a]", 1, "`funtions` is no key here: did you mean `functions`?");
        check("[functions.a]\nasync.on_success = { to = \"queue:a\", fromat = \"payload\" }", 2, {
            "`fromat` is no key here: did you mean `format`?"
        });
        check("[topics.a]\nsubscriptions = [\n  { to = \"queue:a\", filters = {} },\n]", 3, {
            "`filters` is no key here: did you mean `filter`?"
        });
    }

    #[test]
    fn a_key_that_is_like_no_other_is_refused_with_all_there_are() {
        check("[streams.a]\ncolour = 1", 2, "`colour` is no key here: there are `retention`, `max_bytes`");
    }

    #[test]
    fn a_value_of_another_kind_is_refused_with_its_line() {
        let refused = read("[functions.a]\nmemory = \"64MB\"").unwrap_err();
        assert!(refused.line == 2 && refused.what.contains("`64MB` is not a size"), "{refused}");
        let refused = read("[functions.a]\nmodule = 7").unwrap_err();
        assert!(refused.line == 2 && refused.what.contains("string"), "{refused}");
        assert_eq!(read("[functions.a]\n= 7").unwrap_err().line, 2);
    }

    #[test]
    fn a_key_that_stands_where_the_name_of_a_secret_belongs_is_not_repeated() {
        let refused = read("[connections.a]\nkind = \"sqs\"\nsecret_key = \"AKIA-very-secret\"").unwrap_err();
        assert!(refused.line == 3 && refused.what.contains("name of a secret"), "{refused}");
        assert!(!refused.to_string().contains("very-secret"), "{refused}");
        let refused = read("[connections.a]\nkind = \"sqs\"\nsecret_key = { value = \"very-secret\" }").unwrap_err();
        assert!(!refused.to_string().contains("very-secret"), "{refused}");
    }
}
