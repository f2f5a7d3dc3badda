//! Text that a Prometheus reads: families of samples, each with what it means and of what type it is. Knows the
//! format (text, version 0.0.4) and none of the figures.

use std::fmt::{Display, Write as _};

/// What this text is, as `Content-Type` says it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A name and a value that tell one series of a family from the others.
pub(super) type Label<'a> = (&'static str, &'a str);

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever grows, until the process starts anew. Its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// A family that is being written.
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind_name = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        debug_assert_eq!(kind == Kind::Counter, name.ends_with("_total"), "{name}");
        self.head(name, kind_name, help);
        Family { text: &mut self.text, name }
    }

    /// Writes a family of one gauge without labels.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }

    /// Writes a family of one counter without labels.
    pub(super) fn counter(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// Writes a histogram. `buckets` are an upper bound and how many were above the bound before it and not above
    /// this one; `rest` were above all of them.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &str,
        buckets: impl IntoIterator<Item = (f64, u64)>,
        rest: u64,
        sum: f64,
    ) {
        self.head(name, "histogram", help);
        let mut count = 0;
        for (bound, within) in buckets {
            count += within;
            self.line(name, "_bucket", &[("le", &bound.to_string())], count);
        }
        count += rest;
        self.line(name, "_bucket", &[("le", "+Inf")], count);
        self.line(name, "_sum", &[], sum);
        self.line(name, "_count", &[], count);
    }

    /// The whole text.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {}", help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, suffix: &str, labels: &[Label<'_>], value: impl Display) {
        write_sample(&mut self.text, name, suffix, labels, value);
    }
}

impl Family<'_> {
    /// Adds a sample. No two of a family have the same labels.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        write_sample(self.text, self.name, "", labels, value);
    }
}

fn write_sample(text: &mut String, name: &str, suffix: &str, labels: &[Label<'_>], value: impl Display) {
    let _ = write!(text, "{name}{suffix}");
    for (at, (label, value)) in labels.iter().enumerate() {
        let _ = write!(text, "{}{label}=\"", if at == 0 { '{' } else { ',' });
        value.chars().for_each(|c| match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        });
        text.push('"');
    }
    let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_meaning_its_type_and_its_samples() {
        let mut exposition = Exposition::default();
        let mut family = exposition.family("runs_total", Kind::Counter, "Runs\nby name");
        family.sample(&[("name", "a"), ("kind", "\\ \" \n")], 7);
        family.sample(&[("name", "b"), ("kind", "")], 0);
        exposition.gauge("heat", "Degrees", 1.5);
        let expected = "\
# HELP runs_total Runs\\nby name
# TYPE runs_total counter
runs_total{name=\"a\",kind=\"\\\\ \\\" \\n\"} 7
runs_total{name=\"b\",kind=\"\"} 0
# HELP heat Degrees
# TYPE heat gauge
heat 1.5
";
        assert_eq!(exposition.into_text(), expected);
    }

    #[test]
    fn the_buckets_of_a_histogram_add_up_to_its_count() {
        let mut exposition = Exposition::default();
        exposition.histogram("took_seconds", "Time", [(0.5, 1), (1.0, 0), (2.0, 3)], 2, 9.25);
        let expected = "\
# HELP took_seconds Time
# TYPE took_seconds histogram
took_seconds_bucket{le=\"0.5\"} 1
took_seconds_bucket{le=\"1\"} 1
took_seconds_bucket{le=\"2\"} 4
took_seconds_bucket{le=\"+Inf\"} 6
took_seconds_sum 9.25
took_seconds_count 6
";
        assert_eq!(exposition.into_text(), expected);
    }
}
