//! (part of the skeleton)

use super::Answer;
use super::request::Call;

pub(super) async fn create(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) fn list(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn delete(_call: &Call) -> Answer {
    unimplemented!()
}
