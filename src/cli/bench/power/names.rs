//! Which names there may be after a power cut: a change of names is sure once a folder that it touches was synced,
//! and until then it may have happened or not, each for itself. A rename happens whole, and nothing happens
//! without what it builds on: an earlier change of the same name or of the same file.

use std::collections::BTreeMap;

use super::content::Survival;
use crate::cli::bench::random::Random;

/// A file or folder.
pub(super) type Object = usize;
/// A place for a file or folder: in which folder, and its name there.
pub(super) type Name = (Object, String);
/// What stands where.
pub(super) type Tree = BTreeMap<Name, Object>;

/// The names: as the program sees them, as far as they are safe, and what was done since.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    now: Tree,
    synced: Tree,
    unsynced: Vec<Change>,
}

/// A change: a name that goes, and one that comes. Both at once is a rename.
#[derive(Clone, Debug)]
struct Change {
    gone: Option<Name>,
    come: Option<(Name, Object)>,
}

impl Change {
    fn names(&self) -> impl Iterator<Item = &Name> {
        self.gone.iter().chain(self.come.as_ref().map(|(name, _)| name))
    }

    fn touches(&self, folder: Object) -> bool {
        self.names().any(|(of, _)| *of == folder)
    }

    fn builds_on(&self, earlier: &Self) -> bool {
        let object = |change: &Self| change.come.as_ref().map(|(_, object)| *object);
        let same_object = object(self).is_some() && object(self) == object(earlier);
        same_object || self.names().any(|name| earlier.names().any(|other| name == other))
    }

    fn apply(&self, tree: &mut Tree) {
        if let Some(name) = &self.gone {
            tree.remove(name);
        }
        if let Some((name, object)) = &self.come {
            tree.insert(name.clone(), *object);
        }
    }
}

impl Names {
    pub(super) fn get(&self, name: &Name) -> Option<Object> {
        self.now.get(name).copied()
    }

    /// The names in a folder.
    pub(super) fn within(&self, folder: Object) -> impl Iterator<Item = (&Name, Object)> {
        let names = self.now.range((folder, String::new())..(folder + 1, String::new()));
        names.map(|(name, object)| (name, *object))
    }

    pub(super) fn add(&mut self, name: Name, object: Object) {
        self.change(Change { gone: None, come: Some((name, object)) });
    }

    pub(super) fn remove(&mut self, name: Name) {
        self.change(Change { gone: Some(name), come: None });
    }

    pub(super) fn rename(&mut self, from: Name, to: Name, object: Object) {
        self.change(Change { gone: Some(from), come: Some((to, object)) });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    /// A folder was synced: what was done in it is safe, with all that it builds on.
    pub(super) fn sync(&mut self, folder: Object) {
        let changes = std::mem::take(&mut self.unsynced);
        let mut safe: Vec<bool> = changes.iter().map(|change| change.touches(folder)).collect();
        for later in (0..changes.len()).rev().filter(|at| changes[*at].touches(folder)) {
            for earlier in 0..later {
                safe[earlier] |= safe[later] && changes[later].builds_on(&changes[earlier]);
            }
        }
        for (change, safe) in changes.into_iter().zip(safe) {
            if safe {
                change.apply(&mut self.synced);
            } else {
                self.unsynced.push(change);
            }
        }
    }

    /// The names that are there after a cut.
    pub(super) fn survive(&self, survival: Survival, random: &mut Random) -> Tree {
        let mut tree = self.synced.clone();
        let mut missing: Vec<&Change> = Vec::new();
        for change in &self.unsynced {
            let wanted = match survival {
                Survival::Nothing => false,
                Survival::Everything => true,
                Survival::Whole | Survival::Torn => random.one_in(2),
            };
            if wanted && !missing.iter().any(|earlier| change.builds_on(earlier)) {
                change.apply(&mut tree);
            } else {
                missing.push(change);
            }
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        (0, name.to_owned())
    }

    /// Every set of names that some cut leaves.
    #[track_caller]
    fn check(names: &Names, expected: &[&[(&str, Object)]]) {
        let survive = |seed| names.survive(Survival::Torn, &mut Random::new(seed));
        let mut all: Vec<_> = (0..500).map(survive).collect();
        all.sort_unstable();
        all.dedup();
        let tree = |entries: &&[(&str, Object)]| entries.iter().map(|(text, object)| (name(text), *object)).collect();
        let mut expected: Vec<Tree> = expected.iter().map(tree).collect();
        expected.sort_unstable();
        assert_eq!(all, expected);
    }

    #[test]
    fn a_new_name_may_be_missing_until_its_folder_is_synced() {
        let mut names = Names::default();
        names.add(name("a"), 1);
        check(&names, &[&[], &[("a", 1)]]);
        names.sync(7);
        check(&names, &[&[], &[("a", 1)]]);
        names.sync(0);
        check(&names, &[&[("a", 1)]]);
    }

    #[test]
    fn a_rename_happens_whole_or_not_at_all_and_not_without_the_file() {
        let mut names = Names::default();
        names.add(name("old"), 1);
        names.sync(0);
        names.add(name("new"), 2);
        names.rename(name("new"), name("old"), 2);
        check(&names, &[&[("old", 1)], &[("old", 1), ("new", 2)], &[("old", 2)]]);
        names.sync(0);
        check(&names, &[&[("old", 2)]]);
    }

    #[test]
    fn a_name_that_was_removed_may_be_back_until_its_folder_is_synced() {
        let mut names = Names::default();
        names.add(name("a"), 1);
        names.sync(0);
        names.remove(name("a"));
        check(&names, &[&[], &[("a", 1)]]);
    }

    #[test]
    fn what_a_synced_change_builds_on_is_synced_with_it() {
        let mut names = Names::default();
        names.add((5, "a".to_owned()), 1);
        names.rename((5, "a".to_owned()), name("b"), 1);
        names.sync(0);
        check(&names, &[&[("b", 1)]]);
    }
}
