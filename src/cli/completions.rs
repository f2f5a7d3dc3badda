//! `completions`: the script that teaches a shell what can be typed.

use clap_complete::Shell;

use super::error::Error;
use super::output;

/// Writes the completion script of `command` for `shell`.
pub(super) fn run(shell: Shell, mut command: clap::Command) -> Result<(), Error> {
    let mut script = Vec::new();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    output::bytes(&script)
}
