//! (part of the skeleton)

use super::Answer;
use super::request::Call;

pub(super) fn show(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn update(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn update_max_instances(_call: &Call) -> Answer {
    unimplemented!()
}
