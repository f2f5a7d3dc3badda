//! The benches, in short forms: that they run, say what they measured and leave nothing behind. What they measure here
//! means nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// On a disk: the system's folder for temporary files may be in memory, which is refused.
const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// What a bench says as JSON, object by object. Its files are in a folder of its own, which it leaves empty.
#[track_caller]
fn said(arguments: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir_in(FOLDER).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["--json", "bench"])
        .args(arguments)
        .arg("--dir")
        .arg(folder.path())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it left files behind");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// That each of `fields` is a number above 0.
#[track_caller]
fn check_numbers(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object[field].as_f64().is_some_and(|number| number > 0.0), "{field} in {object}");
    }
}

#[test]
fn each_case_of_the_queue_is_told_with_the_plain_log_beside_it() {
    let cases = said(&["queue", "--seconds", "0.2", "--rounds", "2", "--clients", "2,3", "--payload", "300,5KiB"]);
    let named = |case: &Value| {
        (case["work"].as_str().unwrap().to_owned(), case["clients"].as_u64().unwrap(), case["payload_bytes"].as_u64())
    };
    assert_eq!(cases.len(), 8);
    assert_eq!(named(&cases[0]), ("enqueue".to_owned(), 2, Some(300)));
    assert_eq!(named(&cases[7]), ("cycle".to_owned(), 3, Some(5 * 1_024)));
    for case in &cases {
        let rates = ["per_second", "log_per_second", "ratio", "cpu_us_per_op", "log_cpu_us_per_op"];
        check_numbers(case, &rates);
        check_numbers(case, &["p50_us", "p99_us", "log_p50_us", "log_p99_us", "max_rss_bytes"]);
        for rounds in ["rounds_per_second", "log_rounds_per_second"] {
            assert_eq!(case[rounds].as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn a_rate_that_is_held_is_told_second_by_second() {
    let held = said(&["queue", "--sustained", "1s", "--payload", "256"]);
    assert_eq!(held.iter().map(|part| part["work"].as_str().unwrap()).collect::<Vec<_>>(), ["cycle", "enqueue"]);
    for part in &held {
        check_numbers(part, &["per_second", "first_fifth_per_second", "max_rss_bytes", "max_disk_bytes", "clients"]);
        assert!(part["rss_bytes_a_second"].is_number() && part["cut_short_by"].is_null(), "{part}");
        assert!(!part["seconds"].as_array().unwrap().is_empty());
    }
}

#[test]
fn a_backlog_survives_the_death_of_the_process_that_took_it() {
    let seen = said(&["queue", "--backlog", "500", "--cycles", "200", "--payload", "256"]);
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    let counts = ["filled", "opened_live", "worked", "worked_left"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(counts, [500, 500, 200, 300], "{seen}");
    check_numbers(seen, &["fill_per_second", "filled_rss_bytes", "filled_disk_bytes", "ready_ms", "opened_rss_bytes"]);
}

#[test]
fn a_backlog_that_is_due_later_is_opened_and_worked_too() {
    let seen = said(&["queue", "--backlog", "300", "--delay", "1h", "--cycles", "50"]);
    let counts = ["opened_live", "worked", "worked_left"].map(|name| seen[0][name].as_u64().unwrap());
    assert_eq!(counts, [300, 50, 250], "{seen:?}");
}

#[test]
fn churn_is_told_tenth_by_tenth() {
    let churned = said(&["queue", "--churn", "1000"]);
    let payloads: Vec<_> = churned.iter().map(|part| part["payload_bytes"].as_u64().unwrap()).collect();
    assert_eq!(payloads, [256, 65_536]);
    for part in &churned {
        assert_eq!(part["tenths"].as_array().unwrap().len(), 10);
        check_numbers(part, &["per_second", "max_rss_bytes", "max_disk_bytes"]);
        assert!(part["last_half_is_flat"]["disk"].is_boolean());
    }
}

#[test]
fn a_folder_in_memory_is_refused() {
    if !Path::new("/dev/shm").is_dir() {
        return;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let output = command.args(["bench", "queue", "--dir", "/dev/shm"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("where a sync means nothing"));
}

#[test]
fn acceptances_over_http_are_told_beside_the_same_answer_without_the_disk() {
    let seen = said(&["http", "--seconds", "0.8", "--rounds", "2", "--connections", "4"]);
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    check_numbers(seen, &["ratio", "connections", "payload_bytes"]);
    for answer in ["durable", "constant"] {
        check_numbers(&seen[answer], &["per_second", "p50_us", "p99_us", "client_cpu_us_per_op", "answer_bytes"]);
    }
    assert_eq!(seen["durable"]["answer_bytes"], seen["constant"]["answer_bytes"]);
}

#[test]
fn a_start_is_told_alone_and_beside_a_backlog_of_another_function() {
    let seen = said(&["flood", "--queued", "1500", "--run", "100ms", "--samples", "5"]);
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((&seen["queued"], &seen["run_ms"], &seen["concurrency"]), (&json!(1_500), &json!(100), &json!(64)));
    assert!(seen["starts_within_a_run"].is_boolean() && seen["slow_running"]["most"].is_u64(), "{seen}");
    check_numbers(seen, &["accepted_per_second", "max_rss_bytes"]);
    for singles in ["alone", "beside"] {
        assert_eq!(seen[singles]["samples"], 5);
        check_numbers(&seen[singles], &["settled_p50_us", "settled_max_us"]);
        assert!(seen[singles]["start_max_ms"].is_u64(), "{seen}");
    }
}

#[test]
fn a_server_that_is_asked_for_too_much_says_so_and_counts_right() {
    let seen = said(&["overload", "--times", "4", "--for", "3s", "--rest", "0s"]);
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    let count = |value: &Value| value.as_u64().unwrap();
    assert_eq!((&seen["counters_are_right"], &seen["wrong"]), (&json!(true), &json!([])), "{seen}");
    for never in ["answered_507", "answered_other", "unanswered", "unexplained_429"] {
        assert_eq!(seen[never], 0, "{never} in {seen}");
    }
    assert_eq!(count(&seen["answered"]), count(&seen["answered_202"]) + count(&seen["answered_429"]), "{seen}");
    let counters = &seen["counters"];
    assert_eq!(count(&counters["accepted"]), count(&seen["accepted_before"]) + count(&seen["answered_202"]), "{seen}");
    assert_eq!((&counters["live"], &counters["succeeded"]), (&json!(0), &counters["accepted"]), "{seen}");
    check_numbers(seen, &["capacity_per_second", "offered_per_second", "max_rss_bytes", "max_live"]);
    assert!(seen["rss_is_flat"].is_boolean() && seen["samples"][0]["oldest_s"].is_number(), "{seen}");
}

#[test]
fn a_peer_is_measured_with_our_queue_and_the_log_beside_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for peer in listener.incoming().flatten() {
            std::thread::spawn(|| pretend(peer));
        }
    });
    let arguments = ["--seconds", "0.2", "--rounds", "1", "--clients", "2", "--beanstalkd", &address.to_string()];
    let rows = said(&[&["peers"][..], &arguments].concat());
    let systems: Vec<_> = rows.iter().map(|row| row["system"].as_str().unwrap()).collect();
    assert_eq!(systems, ["tidemill", "plain log", "beanstalkd"].repeat(2));
    for row in &rows {
        check_numbers(row, &["per_second", "of_log", "tidemill_is_times", "p50_us"]);
    }
}

/// Speaks as much beanstalkd as a cycle takes, with one job at a time.
fn pretend(peer: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let (mut lines, mut out, mut job) = (BufReader::new(peer.try_clone().unwrap()), peer, Vec::new());
    let mut line = String::new();
    while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
        let words: Vec<_> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["use", tube] => format!("USING {tube}\r\n").into_bytes(),
            ["watch" | "ignore", _] => b"WATCHING 1\r\n".to_vec(),
            ["put", _, _, _, length] => {
                job = vec![0; length.parse::<usize>().unwrap() + 2];
                lines.read_exact(&mut job).unwrap();
                b"INSERTED 7\r\n".to_vec()
            }
            ["reserve"] => [format!("RESERVED 7 {}\r\n", job.len() - 2).as_bytes(), &job].concat(),
            ["delete", "7"] => b"DELETED\r\n".to_vec(),
            _ => b"UNKNOWN_COMMAND\r\n".to_vec(),
        };
        if out.write_all(&answer).is_err() {
            return;
        }
        line.clear();
    }
}

#[test]
fn a_peer_that_is_not_there_is_named() {
    let nowhere: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["bench", "peers", "--seconds", "0.1", "--dir", FOLDER, "--redis", &nowhere.to_string()]);
    let output = command.stdout(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("redis: cannot connect to 127.0.0.1:"), "{stderr}");
}

#[test]
fn functions_are_told_beside_a_server_that_does_nothing_and_another_one() {
    let (bare, url) = bare();
    let other = format!("other={url}/some/path,{}", bare.0.id());
    let seen = said(&["invoke", "--seconds", "0.4", "--rounds", "2", "--connections", "4", "--against", &other]);
    let [seen] = &seen[..] else { panic!("{seen:?}") };
    check_numbers(&seen["bare"], &["per_second", "p50_us", "p99_us", "one_p50_us", "max_rss_bytes"]);
    let cases = seen["cases"].as_array().unwrap();
    let named =
        |name: &str| cases.iter().find(|case| case["case"] == name).unwrap_or_else(|| panic!("{name} in {seen}"));
    for name in [
        "handler",
        "handler_wasi",
        "raw",
        "typed",
        "http",
        "http_rust",
        "http_0_3",
        "http_0_3_reuse",
        "http_0_3_reuse_one",
        "command",
        "other",
    ] {
        let case = named(name);
        check_numbers(case, &["ratio", "p99_ratio", "per_second", "p50_us", "p99_us", "max_rss_bytes"]);
        check_numbers(case, &["client_cpu_us_per_request", "one_p50_us", "one_p99_us"]);
        assert!(case["added_p50_us"].is_number() && case["rounds_ratio"].as_array().unwrap().len() == 2, "{case}");
    }
    assert!(cases.iter().all(|case| case["skipped"].is_null()), "{seen}");
    drop(bare);
}

#[test]
fn a_server_that_answers_something_else_ends_the_measurement() {
    use std::io::Write as _;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nno sea");
        }
    });
    let folder = tempfile::tempdir_in(FOLDER).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["bench", "invoke", "--cases", "handler", "--seconds", "0.1", "--dir"]).arg(folder.path());
    let output = command.args(["--against", &format!("sea=http://{address}")]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("sea: the answer is 200 `no sea` instead of 200 `hello from tidemill`"), "{stderr}");
}

#[test]
fn a_start_and_first_requests_are_told_of_functions_that_are_not_in_memory() {
    let small = ["--rounds", "1", "--functions", "8", "--many", "20", "--cases", "handler,http"];
    let seen = said(&[&["invoke", "--part", "cold,many"][..], &small].concat());
    for (part, functions, cases) in [("cold", 8, &["handler", "http"][..]), ("many", 20, &["handler"])] {
        let seen = &seen[0][part];
        assert_eq!((&seen["functions"], &seen["starts"]), (&json!(functions), &json!(1)), "{seen}");
        check_numbers(
            seen,
            &["listening_p50_ms", "first_answer_max_ms", "idle_rss_bytes", "asked_rss_bytes", "disk_bytes"],
        );
        let rows = seen["first_requests"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["case"].as_str().unwrap()).collect::<Vec<_>>(), cases);
        for row in rows {
            check_numbers(row, &["first_p50_us", "first_max_us", "warm_p50_us"]);
        }
        let asked: u64 = rows.iter().map(|row| row["functions"].as_u64().unwrap()).sum();
        assert_eq!(asked, functions - 1, "{seen}");
    }
}

#[test]
fn as_many_functions_wait_as_may_and_callers_above_that_are_refused() {
    let seen = said(&["invoke", "--part", "density", "--suspended", "10", "--asked", "40", "--concurrency", "25"]);
    let seen = &seen[0]["density"];
    let counts = ["suspended", "running", "queued", "callers"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(counts, [10, 25, 15, 64], "{seen}");
    let refused = ["answered_429", "answered_503"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(refused.iter().sum::<u64>(), 64, "{seen}");
    assert!(seen["idle_rss_bytes"].is_u64() && seen["suspended_above_idle_bytes"].is_u64(), "{seen}");
}

#[test]
fn functions_that_never_end_are_told_with_when_they_ended_and_the_echo_beside_them() {
    let seen = said(&["invoke", "--part", "neighbours", "--loops", "2,4", "--rounds", "1", "--seconds", "0.5"]);
    let seen = &seen[0]["neighbours"];
    let loops = seen["loops"].as_array().unwrap();
    assert_eq!(loops.iter().map(|row| row["loops"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4]);
    for row in loops {
        assert!(row["ended_p50_ms"].as_f64().unwrap() >= 100.0, "{row}");
        assert!(
            row["answered_max_ms"].as_f64().unwrap() >= 100.0 && row["cpu_after_answers_max_ms"].is_number(),
            "{row}"
        );
    }
    for name in ["alone", "beside"] {
        check_numbers(&seen["echo"][name], &["per_second", "p50_us", "p99_us", "max_us"]);
    }
    check_numbers(&seen["echo"], &["loops_answered", "loops_answered_max_ms"]);
}

#[test]
fn functions_that_do_harm_each_end_as_their_own_error_and_are_told_with_an_echo_beside_them() {
    let seen = &said(&["invoke", "--part", "hostile", "--seconds", "0.3", "--hops", "3"])[0]["hostile"];
    let cases = seen["cases"].as_array().unwrap();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let ends: Vec<_> = cases.iter().map(|row| (text(row, "case"), text(row, "ended_as"))).collect();
    let expected = [
        ("memory_4gib", "out_of_memory"),
        ("memory_grown", "out_of_memory"),
        ("table_grown", "table_too_large"),
        ("handles_10000", "too_many_handles"),
        ("output_1gib", "response_too_large"),
        ("recursion", "stack_overflow"),
        ("endless", "timeout"),
        ("exports_10000", "succeeded"),
        ("exports_100000", "module_refused"),
        ("code_10mb", "module_refused"),
        ("nesting_100000", "module_refused"),
        ("fork", "hop_limit"),
    ];
    assert_eq!(ends, expected.map(|(case, end)| (case.to_owned(), end.to_owned())));
    check_numbers(&seen["echo_alone"], &["per_second", "p50_us", "p99_us", "max_us"]);
    for row in cases {
        check_numbers(row, &["times", "max_ms", "rss_before_bytes", "rss_most_bytes", "rss_after_bytes"]);
        check_numbers(&row["echo"], &["per_second", "p50_us", "p99_us", "max_us"]);
    }
}

/// A server that does nothing. Dropping it ends it.
struct Bare(std::process::Child);

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server that functions are measured against, and where it listens.
fn bare() -> (Bare, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    let mut bare = Bare(command.args(["bench", "bare-http"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(bare.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("tidemill listens on ").unwrap().to_owned();
    (bare, url)
}

#[test]
fn messages_and_deliveries_are_told_with_what_a_long_queue_takes() {
    let report = &said(&[
        "messages",
        "--seconds",
        "0.2",
        "--rounds",
        "1",
        "--deliveries",
        "30",
        "--fill",
        "500",
        "--payload",
        "20",
    ])[0];
    let cases = report["cases"].as_array().unwrap();
    let named: Vec<_> =
        cases.iter().map(|case| (case["case"].as_str().unwrap(), case["clients"].as_u64().unwrap())).collect();
    let [cycle, append] = ["send, receive, delete", "stream append"];
    assert_eq!(named, [(cycle, 1), (cycle, 16), (append, 1), (append, 16)]);
    for case in cases {
        check_numbers(case, &["per_second", "p50_us", "p99_us"]);
        assert!(case["server_cpu_us_per_op"].is_number(), "{case}"); // the system tells it in hundredths of a second
    }
    assert_eq!((&report["deliveries"]["count"], &report["filled"]["messages"]), (&json!(30), &json!(500)));
    check_numbers(&report["deliveries"], &["per_second"]);
    check_numbers(&report["filled"], &["per_second", "rss_before_bytes", "rss_after_bytes", "disk_bytes"]);
}
