//! Times as this dialect has them: in UTC and whole seconds, in three forms.

use crate::model::time::Timestamp;

/// `2026-11-21T09:00:00`.
pub(super) fn seconds(at: Timestamp) -> String {
    at.to_string().chars().take("2026-11-21T09:00:00".len()).collect()
}

/// `2026-11-21T09:00:00+00:00`.
pub(super) fn with_offset(at: Timestamp) -> String {
    seconds(at) + "+00:00"
}

/// `2026-11-21 09:00:00`.
pub(super) fn with_blank(at: Timestamp) -> String {
    seconds(at).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_seconds() {
        let at = Timestamp::parse("2021-03-04T14:50:02.999+08:00").unwrap();
        assert_eq!(seconds(at), "2021-03-04T06:50:02");
        assert_eq!(with_offset(at), "2021-03-04T06:50:02+00:00");
        assert_eq!(with_blank(at), "2021-03-04 06:50:02");
    }
}
