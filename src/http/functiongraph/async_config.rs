//! `F/async-invoke-config`, `F/async-invoke-configs`.

use super::Answer;
use super::request::Call;

pub(super) async fn set(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) fn show(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn delete(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) fn list(_call: &Call) -> Answer {
    unimplemented!()
}
