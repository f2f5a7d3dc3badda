//! What identifies compiled code: the module, and how it was compiled.

use crate::model::function::Version;
use crate::model::names::Digest;

/// Which compiled code is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeId {
    /// The module's digest.
    pub digest: Digest,
    /// How it is compiled.
    pub build: Build,
}

/// How a module is compiled, and with that which engine runs it. The default is what nobody asked for anything gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Build {
    /// Whether its debug information is kept, so that backtraces say files and lines. Needs no engine of its own.
    pub debug_info: bool,
    /// What else is asked of its engine.
    pub flavor: Flavor,
}

/// What an engine does beyond the usual. Each combination is an engine of its own, made when it is first needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flavor {
    /// Whether each instruction uses up fuel.
    pub fuel: bool,
    /// Whether a guest may do several things at once, as those of WASI 0.3 do. Every call costs more for it.
    pub concurrent: bool,
    /// Whether a trap brings a core dump with it. The code is the same.
    pub dumps: bool,
}

impl CodeId {
    /// The code of a version.
    pub fn of(version: &Version) -> Self {
        let flavor =
            Flavor { fuel: version.limits.fuel.is_some(), concurrent: version.wasi_0_3, dumps: version.core_dump };
        Self { digest: version.digest, build: Build { debug_info: version.debug_info, flavor } }
    }
}

impl From<Digest> for CodeId {
    fn from(digest: Digest) -> Self {
        Self { digest, build: Build::default() }
    }
}

impl Build {
    /// The same as far as the code depends on it.
    pub(super) const fn of_code(self) -> Self {
        Self { flavor: Flavor { dumps: false, ..self.flavor }, ..self }
    }

    /// As the seal of compiled code has it. The lowest bit came first, and files have it since then.
    pub(super) const fn to_bits(self) -> u8 {
        self.debug_info as u8 | (self.flavor.fuel as u8) << 1 | (self.flavor.concurrent as u8) << 2
    }

    /// What [`Build::to_bits`] gave; `None` for anything else.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        let is_set = |bit: u8| bits & (1 << bit) != 0;
        let build =
            Self { debug_info: is_set(0), flavor: Flavor { fuel: is_set(1), concurrent: is_set(2), dumps: false } };
        if build.to_bits() == bits { Some(build) } else { None }
    }
}

impl Flavor {
    /// How many there are.
    pub(super) const COUNT: usize = 8;

    /// All of them.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(|bits| Self { fuel: bits & 1 != 0, concurrent: bits & 2 != 0, dumps: bits & 4 != 0 })
    }

    /// The place of this one among all of them.
    pub(super) const fn index(self) -> usize {
        self.fuel as usize | (self.concurrent as usize) << 1 | (self.dumps as usize) << 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_compile_is_told_from_the_others_and_nothing_else_is_taken_for_one() {
        let known: Vec<_> = (0..=u8::MAX).filter_map(|bits| Some((bits, Build::from_bits(bits)?))).collect();
        assert_eq!((known.len(), Flavor::all().count()), (Flavor::COUNT, Flavor::COUNT));
        assert!(Flavor::all().map(Flavor::index).collect::<std::collections::BTreeSet<_>>().len() == Flavor::COUNT);
        for (bits, build) in known {
            assert_eq!(build.to_bits(), bits);
            assert!(build.flavor.index() < Flavor::COUNT);
        }
        assert_eq!(Build::from_bits(1), Some(Build { debug_info: true, ..Build::default() }));
    }
}
