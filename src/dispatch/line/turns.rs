//! Who was given least: a fair order of those that want something now. Pure.
//!
//! Each has a number, which grows by the cost of what it is given; the smallest is next. One that comes anew starts
//! just below the number of the one served last: before all that stay, and with nothing saved up from its absence. One
//! that has left is remembered until the others have caught up with it, so leaving and coming back gains nothing.
//! (This is deficit round robin with a quantum of one, without rounds: start-time fair queueing.)

use std::collections::{BTreeMap, BTreeSet};

/// A fair order.
#[derive(Debug)]
pub(super) struct Turns<K> {
    /// The number of the one served last, before it was served.
    reached: u64,
    /// Those that want something.
    wanting: BTreeSet<(u64, K)>,
    /// Those that do not, and have been given more than the others.
    ahead: BTreeSet<(u64, K)>,
    /// The numbers of both.
    numbers: BTreeMap<K, u64>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        let (wanting, ahead) = (BTreeSet::new(), BTreeSet::new());
        Self { reached: 1, wanting, ahead, numbers: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Turns<K> {
    /// `key` wants something.
    pub(super) fn enter(&mut self, key: K) {
        let number = *self.numbers.entry(key).or_insert(self.reached - 1);
        self.ahead.remove(&(number, key));
        self.wanting.insert((number, key));
    }

    /// `key` wants nothing any more.
    pub(super) fn leave(&mut self, key: K) {
        let Some(&number) = self.numbers.get(&key) else { return };
        self.wanting.remove(&(number, key));
        if number > self.reached {
            self.ahead.insert((number, key));
        } else {
            self.numbers.remove(&key);
        }
    }

    /// Who is next.
    pub(super) fn first(&self) -> Option<K> {
        self.wanting.first().map(|(_, key)| *key)
    }

    /// Whether nobody wants anything.
    pub(super) fn is_empty(&self) -> bool {
        self.wanting.is_empty()
    }

    /// `key`, which wants something, was given as much as `cost`.
    pub(super) fn served(&mut self, key: K, cost: u64) {
        let Some(number) = self.numbers.get_mut(&key) else { return };
        let before = *number;
        *number += cost;
        if self.wanting.remove(&(before, key)) {
            self.wanting.insert((before + cost, key));
        }
        self.reached = self.reached.max(before);
        while let Some(&(number, key)) = self.ahead.first()
            && number <= self.reached
        {
            self.ahead.remove(&(number, key));
            self.numbers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serves `times`; returns who was.
    fn serve(turns: &mut Turns<char>, cost: impl Fn(char) -> u64, times: usize) -> String {
        let mut one = || {
            let key = turns.first()?;
            turns.served(key, cost(key));
            Some(key)
        };
        (0..times).filter_map(|_| one()).collect()
    }

    #[test]
    fn all_are_served_in_turn() {
        let mut turns = Turns::default();
        "abc".chars().for_each(|key| turns.enter(key));
        assert_eq!(serve(&mut turns, |_| 24, 7), "abcabca");
    }

    #[test]
    fn who_costs_less_is_served_as_much_more_often() {
        let mut turns = Turns::default();
        "abc".chars().for_each(|key| turns.enter(key));
        let served = serve(
            &mut turns,
            |key| {
                if key == 'a' {
                    3
                } else if key == 'b' {
                    8
                } else {
                    24
                }
            },
            120,
        );
        let count = |key| served.chars().filter(|served| *served == key).count();
        assert_eq!((count('a'), count('b'), count('c')), (80, 30, 10), "{served}");
    }

    #[test]
    fn one_that_comes_anew_goes_before_all_that_stay() {
        let mut turns = Turns::default();
        "bcde".chars().for_each(|key| turns.enter(key));
        serve(&mut turns, |_| 24, 5);
        turns.enter('z');
        assert_eq!(serve(&mut turns, |_| 24, 6), "zcdezb");
    }

    #[test]
    fn leaving_and_coming_back_gains_nothing() {
        let mut turns = Turns::default();
        "ab".chars().for_each(|key| turns.enter(key));
        let mut served = String::new();
        for _ in 0..10 {
            let key = turns.first().unwrap();
            turns.served(key, 24);
            served.push(key);
            if key == 'a' {
                turns.leave('a');
                turns.enter('a');
            }
        }
        assert_eq!(served, "ababababab");
    }

    #[test]
    fn who_is_away_is_forgotten_once_the_others_have_caught_up() {
        let mut turns = Turns::default();
        "ab".chars().for_each(|key| turns.enter(key));
        serve(&mut turns, |_| 24, 2);
        turns.leave('a');
        serve(&mut turns, |_| 24, 3);
        assert!(turns.ahead.is_empty() && turns.numbers.len() == 1);
    }
}
