//! `F/invocations`, `F/invocations-async`, `F/cancel`.

use super::Answer;
use super::request::Call;

pub(super) async fn invoke(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn invoke_async(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn cancel(_call: &Call) -> Answer {
    unimplemented!()
}
