//! (part of the skeleton)

use super::Answer;
use super::request::Call;

pub(super) fn list(_call: &Call) -> Answer {
    unimplemented!()
}
