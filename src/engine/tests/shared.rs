//! Instances that serve several runs at once. `guests/async/several.wat` says by a letter in the path what each does.

use futures::future::{join, join_all};

use super::*;
use crate::engine::look_at;
use crate::model::function::Space;

/// What runs, and how.
struct Several {
    engine: Engine,
    ready: Ready,
    version: Arc<Version>,
}

impl Several {
    async fn with(edit: impl FnOnce(&mut Version)) -> Self {
        Self::of(guest("async/several.wat"), edit).await
    }

    async fn of(module: Bytes, edit: impl FnOnce(&mut Version)) -> Self {
        let settings = Settings { wasi_0_3: true, rest: Duration::from_millis(200), ..settings(None) };
        let engine = Engine::start(&settings).unwrap();
        let outside = look_at(module.clone()).await;
        assert!(outside.wasi_0_3 && outside.is_http_0_3);
        let (reuse, instance_concurrency) = (NonZeroU32::new(1_000), NonZeroU32::new(16));
        let mut version = Version { wasi_0_3: true, reuse, instance_concurrency, ..version() };
        edit(&mut version);
        let ready = deploy_for(&engine, module, &version).await;
        Self { engine, ready, version: Arc::new(version) }
    }

    async fn timed(timeout: Duration) -> Self {
        Self::with(|version| version.limits.timeout = timeout).await
    }

    async fn run(&self, letter: char) -> Ran {
        let request = Request {
            method: Method::GET,
            uri: format!("/{letter}").parse().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let (input, version) = (Input::Request(Box::new(request)), Arc::clone(&self.version));
        self.engine.run(&self.ready, Call { input, version, ..call("") }).await
    }

    /// How many its instance had begun when it was answered. Ten are told by the character behind `9`, and so on.
    async fn count(&self, letter: char) -> u32 {
        u32::from(body(self.run(letter).await).bytes().next().unwrap() - b'0')
    }

    fn resting(&self) -> usize {
        self.ready.engine().resting.count()
    }
}

/// Which runs meet in an instance is for the threads to say, so what takes two that met is tried until they did.
const TRIES: usize = 20;

#[tokio::test]
async fn runs_at_once_share_instances_and_each_instance_has_as_many_as_its_version_says() {
    let several = Several::with(|version| version.instance_concurrency = NonZeroU32::new(4)).await;
    let counts = join_all((0..12).map(|_| several.count('s'))).await;
    assert!(counts.iter().all(|count| *count <= 4) && counts.iter().any(|count| *count > 1), "{counts:?}");
    let alone = Several::with(|version| version.instance_concurrency = None).await;
    assert_eq!(join_all((0..4).map(|_| alone.count('s'))).await, [1; 4]);
}

#[tokio::test]
async fn an_instance_that_several_share_serves_no_more_of_them_than_its_version_says() {
    let several = Several::with(|version| version.reuse = NonZeroU32::new(3)).await;
    let mut counts = Vec::new();
    for _ in 0..7 {
        counts.push(several.count('h').await);
    }
    assert_eq!(counts, [1, 2, 3, 1, 2, 3, 1]);
}

#[tokio::test]
async fn one_that_waits_past_its_time_is_answered_and_the_others_go_on() {
    let several = Several::timed(Duration::from_secs(2)).await;
    let (waits, mut most) = (std::cell::Cell::new(true), 0);
    let first = async {
        let failed = failure(several.run('w').await);
        waits.set(false);
        failed
    };
    let others = async {
        while waits.get() {
            most = most.max(several.count('s').await); // the last of them begins before that time and ends after it
        }
    };
    let (failed, ()) = join(first, others).await;
    assert_eq!(failed.kind, FailureKind::Timeout);
    let next = several.count('h').await;
    assert!(most > 2 && next <= most, "what was given up is gone with its instance: {most} {next}");
}

#[tokio::test]
async fn one_that_computes_past_its_time_ends_the_others_in_its_instance_which_may_be_tried_again() {
    let several = Several::timed(Duration::from_secs(3)).await;
    let later = async {
        for _ in 0..4 {
            several.run('s').await; // so that it is not yet their time when the other's is up
        }
        join_all((0..=16).map(|_| several.run('w'))).await // one more than fit into another instance than its
    };
    let (computes, all) = join(several.run('d'), later).await;
    assert_eq!(failure(computes).kind, FailureKind::Timeout);
    let (ended, elsewhere): (Vec<_>, Vec<_>) =
        all.into_iter().map(failure).partition(|failure| failure.kind == FailureKind::Interrupted);
    assert!(elsewhere.iter().all(|failure| failure.kind == FailureKind::Timeout), "{elsewhere:?}");
    assert!(!ended.is_empty(), "{elsewhere:?}");
    for Failure { message, advice, .. } in ended {
        assert!(message.contains("another invocation") && message.contains("(timeout)"), "{message}");
        assert_eq!(advice, Advice::Retry);
    }
}

#[tokio::test]
async fn one_that_traps_ends_the_others_in_its_instance_and_is_told_apart_from_them() {
    let several = Several::timed(Duration::from_secs(30)).await;
    for _ in 0..TRIES {
        let (other, traps) = join(several.run('s'), several.run('x')).await;
        let trapped = failure(traps);
        assert_eq!(trapped.kind, FailureKind::Trap, "{}", trapped.message);
        match other.end {
            Ok(_) => (), // it was elsewhere, or had not begun
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Interrupted, "{}", failure.message);
                return;
            }
        }
    }
    panic!("they never met");
}

#[tokio::test]
async fn one_that_takes_more_than_it_may_fails_for_that_and_ends_the_others() {
    for (letter, kind) in [('m', FailureKind::OutOfMemory), ('t', FailureKind::TooManyHandles)] {
        let mut have_met = false;
        for _ in 0..TRIES {
            let several = Several::timed(Duration::from_secs(30)).await;
            let (other, takes) = join(several.run('s'), several.run(letter)).await;
            let failed = failure(takes);
            assert_eq!(failed.kind, kind, "{}", failed.message);
            have_met = other.end.is_err_and(|failure| failure.kind == FailureKind::Interrupted);
            if have_met {
                assert_eq!(several.count('h').await, 1, "nothing of it is left");
                break;
            }
        }
        assert!(have_met, "{letter}");
    }
}

#[tokio::test]
async fn what_was_refused_to_one_that_has_gone_is_not_what_another_fails_for() {
    let several = Several::timed(Duration::from_secs(30)).await;
    for _ in 0..TRIES {
        let (refused, next) = (several.count('g').await, several.count('h').await);
        let failed = failure(several.run('x').await);
        assert_eq!(failed.kind, FailureKind::Trap, "{}", failed.message);
        if (refused, next) == (1, 2) {
            return;
        }
    }
    panic!("they never had the same instance");
}

#[tokio::test]
async fn one_that_is_given_up_takes_nobody_along() {
    for _ in 0..TRIES {
        let several = Several::timed(Duration::from_secs(30)).await; // so that there is nobody else whom one can meet
        let mut given_up = Box::pin(several.run('w'));
        let other = several.count('s');
        assert!(futures::poll!(&mut given_up).is_pending());
        let (count, ()) = join(other, async { drop(given_up) }).await;
        if count > 1 {
            assert_eq!(several.count('h').await, 1, "what was given up is gone with its instance");
            return;
        }
    }
    panic!("they never met");
}

#[tokio::test]
async fn one_that_computes_is_stopped_when_nobody_waits_for_it() {
    let several = Several::timed(Duration::from_secs(600)).await;
    let mut computes = Box::pin(several.run('l'));
    assert!(futures::poll!(&mut computes).is_pending());
    assert_eq!(several.engine.guests_running(), 1);
    drop(computes);
    while several.engine.guests_running() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Waits for ten minutes in a call of the host before there is anything to call.
const STUCK_AT_THE_START: &str = r#"
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $timers
    (alias outer 1 $pollable (type $of-poll))
    (export "pollable" (type $timer (eq $of-poll)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $timer))))))
  (core func $subscribe (canon lower (func $timers "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $stuck
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "block" (func $block (param i32)))
    (func $start (call $block (call $subscribe (i64.const 600000000000))))
    (start $start))
  (core instance (instantiate $stuck (with "host" (instance
    (export "subscribe" (func $subscribe))
    (export "block" (func $block)))))))"#;

#[tokio::test]
async fn an_instance_that_is_stuck_before_its_first_run_begins_goes_with_whoever_waits_for_that() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/async/several.wat");
    let text = std::fs::read_to_string(path).unwrap();
    let stuck = from_text(&[text.trim_end().strip_suffix(')').unwrap(), STUCK_AT_THE_START].concat());
    let several = Several::of(stuck, |version| version.limits.timeout = Duration::from_secs(1)).await;
    assert_eq!(failure(several.run('h').await).kind, FailureKind::Timeout);
    while several.engine.guests_running() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_is_the_failure_of_its_run_alone() {
    let space = Space { result_bytes: 10, ..Space::default() };
    let several = Several::with(|version| version.limits.space = space).await;
    assert_eq!(failure(several.run('b').await).kind, FailureKind::ResponseTooLarge);
    assert_eq!(several.count('h').await, 2);
}

#[tokio::test]
async fn each_has_its_own_measure_and_a_log_with_what_was_written_meanwhile() {
    let several = Several::timed(Duration::from_secs(30)).await;
    for _ in 0..TRIES {
        let (slow, fast) = join(several.run('s'), several.run('h')).await;
        let log = |ran: &Ran| String::from_utf8(ran.log.to_vec()).unwrap();
        let (slow_log, fast_log) = (log(&slow), log(&fast));
        assert!(slow_log.contains("INFO s\n") && fast_log.contains("INFO h\n"), "{slow_log}{fast_log}");
        assert!(slow.usage.ran_us >= 200_000 && slow.usage.cpu_us > 0, "{:?}", slow.usage);
        assert!(fast.usage.cpu_us > 0 && fast.usage.memory_bytes == 65_536, "{:?}", fast.usage);
        assert!(fast.usage.ran_us < slow.usage.ran_us, "{:?} {:?}", fast.usage, slow.usage);
        if slow_log == "INFO s\nINFO h\n" {
            return;
        }
    }
    panic!("they never met");
}

#[tokio::test]
async fn an_instance_that_several_shared_rests_like_any_other_and_goes_after_a_while() {
    let several = Several::timed(Duration::from_secs(30)).await;
    join_all((0..4).map(|_| several.run('s'))).await;
    while several.resting() == 0 {
        tokio::task::yield_now().await;
    }
    while several.resting() > 0 || several.engine.guests_running() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(several.count('h').await, 1);
    while several.resting() == 0 {
        tokio::task::yield_now().await;
    }
    several.engine.stop().await;
    assert_eq!((several.resting(), several.engine.guests_running()), (0, 0));
}
