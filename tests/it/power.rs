//! The power of a real server is cut, as far as its files can tell, and what is left is audited: seconds.

use std::process::{Command, Output};

/// Cuts the power and returns what was said; `None` where there is no C compiler to record with.
fn cut(arguments: &[&str]) -> Option<Output> {
    if Command::new("cc").arg("--version").output().is_err() {
        crate::skipped("power cuts: there is no C compiler `cc` to compile the recorder with");
        return None;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    Some(command.args(["bench", "power-cut"]).args(arguments).output().unwrap())
}

#[test]
fn a_server_whose_power_is_cut_ten_times_loses_nothing_and_does_nothing_twice() {
    let Some(output) = cut(&["--rounds", "10", "--seed", "7"]) else { return };
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    let (acknowledged, rest) = said
        .strip_prefix("power-cut: 10 cuts, ")
        .and_then(|counts| counts.split_once(' '))
        .unwrap_or_else(|| panic!("{said}{log}"));
    assert!(acknowledged.parse::<u32>().unwrap() > 0, "{said}{log}");
    assert_eq!(rest, "acknowledged checked, 0 lost, 0 settled twice, 0 partial, 0 unopenable\n", "{log}");
    assert_eq!(output.status.code(), Some(0), "{log}");
}

#[test]
fn a_server_whose_syncs_do_nothing_is_found_to_lose_what_it_acknowledged() {
    let Some(output) = cut(&["--rounds", "10", "--seed", "7", "--break-sync"]) else { return };
    let (said, log) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    // A store that does not open is found as well as one that does and has lost something.
    let is_found = !(said.contains(" 0 lost") && said.contains(" 0 unopenable"));
    assert!(said.starts_with("power-cut: 10 cuts, ") && is_found, "{said}{log}");
    assert_eq!(output.status.code(), Some(1), "{log}");
}
