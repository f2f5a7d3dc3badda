//! The real program kills servers of its own and audits what they did: seconds, and the whole promise.

use std::process::{Command, Output};

fn tidemill(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidemill")).args(arguments).output().unwrap()
}

#[test]
fn a_server_that_is_killed_five_times_loses_nothing_and_does_nothing_twice() {
    let output = tidemill(&["bench", "crash", "--rounds", "5", "--seed", "7"]);
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let last = said.lines().last().unwrap_or_default();
    let (acknowledged, rest) = last
        .strip_prefix("crash: 5 rounds, ")
        .and_then(|counts| counts.split_once(' '))
        .unwrap_or_else(|| panic!("{said}{log}"));
    assert!(acknowledged.parse::<u32>().unwrap() > 0, "{said}{log}");
    assert_eq!(rest, "acknowledged, 0 lost, 0 settled twice, 0 over the limit, 0 partial", "{log}");
    assert_eq!(output.status.code(), Some(0), "{log}");
}
