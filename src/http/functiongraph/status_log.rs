//! (part of the skeleton)

use super::Answer;
use super::request::Call;

pub(super) fn enable(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) fn show(_call: &Call) -> Answer {
    unimplemented!()
}
