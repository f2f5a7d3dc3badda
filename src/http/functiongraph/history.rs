//! `F/async-invocations`, `F/active-async-invocations`.

use super::Answer;
use super::request::Call;

pub(super) async fn list(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn list_active(_call: &Call) -> Answer {
    unimplemented!()
}
