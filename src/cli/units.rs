//! Sizes, durations and ids as people type and read them. `K`, `M` and `G` count in 1,024s, with and without `iB`.

use uuid::Uuid;

pub(super) use crate::model::time::parse_duration as duration;

const SIZES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
];

/// In milliseconds.
const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a size: write a whole number of bytes, or of `KiB`, `MiB` or `GiB`, for example `64MiB`")]
pub(super) struct InvalidSize(String);

/// Reads a size such as `64MiB`, `64M` or `67108864`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, InvalidSize> {
    counted(text, &SIZES).ok_or_else(|| InvalidSize(text.to_owned()))
}

/// Reads a UUID.
pub(super) fn uuid(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a UUID: write one such as `0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77`"))
}

fn counted(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// `bytes` to one decimal place: `820 B`, `1.5 KiB`, `64 MiB`.
pub(super) fn show_size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(factor, _)| bytes >= *factor) {
        None => format!("{bytes} B"),
        Some((factor, unit)) if bytes.is_multiple_of(factor) => format!("{} {unit}", bytes / factor),
        Some((factor, unit)) => {
            // The tenths are cut, not rounded: nothing is shown as a larger unit than it fills.
            let tenths = u128::from(bytes) * 10 / u128::from(factor);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

/// `ms` milliseconds exactly, in the form that [`duration`] reads: `1h`, `90s`, `1500ms`.
pub(super) fn show_duration(ms: u64) -> String {
    let exact = DURATIONS.iter().rev().find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor));
    match exact {
        Some((unit, factor)) => format!("{}{unit}", ms / factor),
        None => format!("{ms}ms"),
    }
}

/// How long something took: `12 ms`, `3.4 s`, `75 s`.
pub(super) fn show_elapsed(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} s", ms / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[track_caller]
    fn check_size(text: &str, expected: Option<u64>) {
        assert_eq!(size(text).ok(), expected, "{text:?}");
    }

    #[test]
    fn a_size_is_a_whole_number_of_bytes_or_of_a_power_of_1024() {
        check_size("67108864", Some(64 << 20));
        check_size("64MiB", Some(64 << 20));
        check_size("64M", Some(64 << 20));
        check_size("64 MiB", Some(64 << 20));
        check_size("1K", Some(1 << 10));
        check_size("2GiB", Some(2 << 30));
        check_size("0B", Some(0));
        for text in ["", "MiB", "1.5MiB", "-1", "64MB", "64mib", "1 2", "99999999999999999999", "18446744073709551615K"]
        {
            check_size(text, None);
        }
    }

    #[test]
    fn a_refused_value_is_repeated_with_an_example() {
        assert!(size("64MB").unwrap_err().to_string().contains("`64MB` is not a size"));
    }

    #[test]
    fn sizes_and_times_are_shown_in_the_unit_they_fill() {
        let sizes = [0, 1_023, 1_024, 1_536, (1 << 20) - 1, 64 << 20, u64::MAX].map(show_size);
        assert_eq!(sizes, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "1023.9 KiB", "64 MiB", "17179869183.9 GiB"]);
        let times = [0, 999, 1_000, 59_999, 75_000].map(show_elapsed);
        assert_eq!(times, ["0 ms", "999 ms", "1.0 s", "59.9 s", "75 s"]);
        let exact = [0, 1_500, 90_000, 3_600_000, 86_400_000].map(show_duration);
        assert_eq!(exact, ["0ms", "1500ms", "90s", "1h", "1d"]);
    }

    proptest! {
        #[test]
        fn a_duration_is_read_back_as_it_was_shown(ms: u64) {
            prop_assert_eq!(duration(&show_duration(ms)), Ok(Duration::from_millis(ms)));
        }
    }
}
