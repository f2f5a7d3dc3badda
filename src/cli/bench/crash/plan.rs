//! How one round goes: drawn before it begins.

use std::time::Duration;

use crate::cli::bench::random::Random;

/// How the server is to end, if nothing else ends it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Killed that long after the load began.
    Kill(Duration),
    /// Killed that long after its start, whether it listens by then or not.
    KillEarly(Duration),
    /// Asked to stop that long after the load began.
    Stop(Duration),
}

/// How one round goes.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) ending: Ending,
    /// Whether a function is invoked that takes the server down.
    pub(super) poison: bool,
    /// Draws the load.
    pub(super) random: Random,
}

impl Plan {
    pub(super) fn draw(random: &mut Random) -> Self {
        let mut random = random.fork();
        let ending = match random.within(&(0..=9)) {
            0 => Ending::KillEarly(Duration::from_millis(random.within(&(1..=150)))),
            1..=2 => Ending::Stop(load_time(&mut random)),
            _ => Ending::Kill(load_time(&mut random)),
        };
        Self { ending, poison: random.one_in(5), random }
    }
}

fn load_time(random: &mut Random) -> Duration {
    Duration::from_millis(random.within(&(50..=600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_end_in_every_way_and_some_have_poison() {
        let mut random = Random::new(1);
        let plans: Vec<_> = (0..100).map(|_| Plan::draw(&mut random)).collect();
        assert!(plans.iter().any(|plan| matches!(plan.ending, Ending::Kill(_))));
        assert!(plans.iter().any(|plan| matches!(plan.ending, Ending::KillEarly(_))));
        assert!(plans.iter().any(|plan| matches!(plan.ending, Ending::Stop(_))));
        assert!(plans.iter().any(|plan| plan.poison) && !plans.iter().all(|plan| plan.poison));
    }
}
