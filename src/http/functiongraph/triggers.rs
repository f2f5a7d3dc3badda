//! `/triggers/{function_urn}`.

use super::Answer;
use super::request::Call;

pub(super) fn list(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn create(_call: &Call) -> Answer {
    unimplemented!()
}
