//! The counts of a function as bytes: numbers of eight bytes, big-endian, in the order of the fields.

use super::entry::take;
use crate::store::counts::{Counts, Kept};

pub(super) fn to_bytes(counts: &Counts) -> Vec<u8> {
    let Counts { accepted, live, live_bytes, settled, kept } = counts;
    let kept = kept.iter().flat_map(|kept| [kept.count, kept.bytes]);
    let numbers = [*accepted, *live, *live_bytes].into_iter().chain(*settled).chain(kept);
    numbers.flat_map(u64::to_be_bytes).collect()
}

/// `None` when the bytes are no counts.
pub(super) fn read(mut bytes: &[u8]) -> Option<Counts> {
    let mut number = || take(&mut bytes).map(u64::from_be_bytes);
    let mut counts = Counts { accepted: number()?, live: number()?, live_bytes: number()?, ..Counts::default() };
    for settled in &mut counts.settled {
        *settled = number()?;
    }
    for kept in &mut counts.kept {
        *kept = Kept { count: number()?, bytes: number()? };
    }
    bytes.is_empty().then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_back() {
        let kept = [1, 2, 3, 4].map(|n| Kept { count: n, bytes: n << 40 });
        let counts = Counts { accepted: 9, live: 8, live_bytes: 7, settled: [6, 5, 4, 3], kept };
        assert_eq!(read(&to_bytes(&counts)), Some(counts));
        assert_eq!(read(&to_bytes(&counts)[1..]), None);
    }
}
