//! `F/slareports/{period}`, `F/statistics/{period}`.

use super::Answer;
use super::request::Call;

pub(super) async fn show(_call: &Call) -> Answer {
    unimplemented!()
}

pub(super) async fn statistics(_call: &Call) -> Answer {
    unimplemented!()
}
