use super::*;
use clap::builder::StyledStr;
use clap::{Command, CommandFactory as _};

#[test]
fn the_command_line_is_consistent() {
    Typed::command().debug_assert();
}

#[test]
fn the_help_is_what_the_snapshot_says() {
    let help = Typed::command().term_width(100).render_help().to_string();
    assert_eq!(help.trim_end(), include_str!("help.txt").trim_end());
}

#[test]
fn each_command_says_what_its_parent_says_of_it_and_all_of_that() {
    let (told, mut built) = (Typed::command(), Typed::command());
    built.build();
    check_told("tidemill", &told, &built);
    // What is below this one it takes as arguments.
    let told = Yc::augment_args(Command::new("yc"));
    check_told("tidemill yc", &told, built.find_subcommand("yc").unwrap());
}

/// Checks that what a command takes has left its description alone, and that of the commands below it.
fn check_told(path: &str, told: &Command, built: &Command) {
    let text = |text: Option<&StyledStr>| text.map(ToString::to_string);
    for told in told.get_subcommands() {
        let path = format!("{path} {}", told.get_name());
        let built = built.find_subcommand(told.get_name()).unwrap();
        assert!(told.get_about().is_some(), "{path} has no description");
        assert_eq!(text(built.get_about()), text(told.get_about()), "{path} -h");
        assert_eq!(text(built.get_long_about()), text(told.get_long_about()), "{path} --help");
        check_told(&path, told, built);
    }
}

#[test]
fn nothing_that_takes_arguments_is_described_by_them() {
    let mut built = Typed::command();
    built.build();
    let serve = built.find_subcommand("serve").unwrap();
    assert_eq!(serve.get_about().unwrap().to_string(), "Run a server");
    let timer = ["triggers", "create", "timer"].iter().fold(&built, |it, name| it.find_subcommand(name).unwrap());
    assert!(timer.get_long_about().unwrap().to_string().contains("A time is missed when it is noticed"));
}

#[track_caller]
fn check(typed: &str, accepted: bool) {
    let result = Typed::try_parse_from(typed.split(' '));
    assert_eq!(result.is_ok(), accepted, "{typed}: {}", result.err().map(|e| e.to_string()).unwrap_or_default());
}

#[test]
fn flags_that_need_or_exclude_one_another_say_so() {
    check("tidemill invoke a --async --wait", true);
    check("tidemill invoke a --async --wait 5s --delay 1s", true);
    check("tidemill invoke a --wait", false);
    check("tidemill invoke a --delay 1s", false);
    check("tidemill invoke a --data x --file y", false);
    check("tidemill invoke a --data -1", true);
    check("tidemill graph --dot", true);
    check("tidemill invocations list --limit 3", true);
    check("tidemill invocations list --all --limit 3", false);
    check("tidemill invocations list --all", true);
    check("tidemill invocations list --limit 0", false);
    check("tidemill invocations list --status retrying", true);
    check("tidemill invocations list --status lost", false);
}

#[test]
fn one_invocation_is_named_by_its_id_and_many_by_what_they_share() {
    let id = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    for verb in ["cancel", "retry", "redrive", "purge"] {
        let check = |rest: &str, accepted| check(&format!("tidemill invocations {verb} {rest}"), accepted);
        check(id, true);
        check("--function a --status failed --older-than 1h --dry-run", true);
        check("--all --limit 5", true);
        check(&format!("{id} --all"), false);
        check(&format!("{id} --dry-run"), false);
        check(&format!("{id} --all-namespaces"), false);
        check("--all --all-namespaces", true);
        check("--all-namespaces", false);
        check("--dry-run", false);
        check("--limit 5", false);
    }
}

#[test]
fn deliveries_are_redriven_of_one_invocation_or_of_what_they_share() {
    let id = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    let check = |rest: &str, accepted| check(&format!("tidemill deliveries redrive {rest}"), accepted);
    check(id, true);
    check("--function echo", true);
    check("--all --target queue:jobs --all-namespaces", true);
    check("--all-namespaces", false);
    check(&format!("{id} --function echo"), false);
}

#[test]
fn what_says_when_and_how_urgent_is_for_what_waits() {
    check("tidemill invoke a --async --at 2026-11-21T09:00:00Z --priority high --idempotency-key k", true);
    check("tidemill invoke a --async --at 2026-11-21T09:00:00Z --delay 1s", false);
    check("tidemill invoke a --async --priority urgent", false);
    check("tidemill invoke a --priority high", false);
    check("tidemill invoke a --idempotency-key k", false);
}

#[test]
fn what_is_no_name_never_becomes_a_part_of_an_address() {
    check("tidemill functions show a", true);
    check("tidemill functions show ..", false);
    check("tidemill functions show a/b", false);
    check("tidemill functions alias a latest 1", false);
    check("tidemill functions alias a prod 0", false);
    check("tidemill invocations show ../functions", false);
    check("tidemill --namespace a/b functions list", false);
    check("tidemill --server ftp://host functions list", false);
    check("tidemill --server https://host functions list", true);
}

#[test]
fn a_new_function_has_a_language_and_a_name_that_can_be_deployed() {
    check("tidemill new --lang rust order-total", true);
    check("tidemill new --lang python A", true);
    check("tidemill new order-total", false);
    check("tidemill new --lang cobol order-total", false);
    check("tidemill new --lang c ../order", false);
    check("tidemill new --lang c 2nd", false);
    check("tidemill new --lang c order-", false);
}

#[test]
fn documented_command_lines_of_the_cloud_are_understood_behind_yc() {
    let id = "d4e275oj7jtp";
    check(&format!("tidemill yc serverless function version get {id}"), true);
    check("tidemill yc serverless container revision deploy --container-name c --image i --service-account-id s", true);
    check(&format!("tidemill yc serverless container revision get {id} --format json"), true);
    // As its documentation has it in one place.
    check(&format!("tidemill yc serverless serverless-container revision get {id}"), true);
    check("tidemill yc serverless function create --name f --folder-id b1g --labels a=b,c=d", true);
    check("tidemill yc serverless function get f", true);
    check("tidemill yc serverless function list --format yaml", true);
    check("tidemill yc serverless function list --format toml", false);
    check("tidemill yc serverless function get", false);
}

#[test]
fn global_flags_may_stand_behind_the_command() {
    check("tidemill functions list --json --server http://host:1 --namespace shop", true);
}
