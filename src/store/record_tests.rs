//! Every value comes back as it was, and bytes written by the first program of format 2 are still read.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::destination::{Destination, Destinations, Format, FunctionTarget, Outside, OutsideKind, Terms};
use crate::model::function::{AsyncConfig, Entrypoint, Function, Limits, Space, Version};
use crate::model::grant::Grants;
use crate::model::invocation::{
    Attempt, AttemptEnd, Delivery, Invocation, Lease, Lineage, Mode, PayloadInfo, Policy, Request, RequestHead, State,
    Target, Way,
};
use crate::model::names::{AliasName, Digest, FunctionId, FunctionPath, InvocationId, Qualifier, VersionNumber};
use crate::model::outcome::{Advice, FailedFor, Failure, FailureKind, Outcome};
use crate::model::place::Priority;
use crate::model::queue::QueueConfig;
use crate::model::retry::RetryPolicy;
use crate::model::time::Timestamp;
use crate::model::usage::Usage;

const NAME: &str = "[A-Za-z][A-Za-z0-9_-]{0,8}[A-Za-z0-9]";

fn time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_ms)
}

fn number() -> impl Strategy<Value = NonZeroU32> {
    (1..=u32::MAX).prop_map(|number| NonZeroU32::new(number).unwrap())
}

fn duration() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_millis)
}

fn invocation_id() -> impl Strategy<Value = InvocationId> {
    any::<[u8; 16]>().prop_map(InvocationId::from_bytes)
}

fn function_id() -> impl Strategy<Value = FunctionId> {
    any::<[u8; 16]>().prop_map(FunctionId::from_bytes)
}

fn path() -> impl Strategy<Value = FunctionPath> {
    let parse = |(namespace, name): (String, String)| FunctionPath {
        namespace: namespace.parse().unwrap(),
        name: name.parse().unwrap(),
    };
    (NAME, NAME).prop_map(parse)
}

fn qualifier() -> impl Strategy<Value = Qualifier> {
    prop_oneof![
        Just(Qualifier::Latest),
        number().prop_map(Qualifier::Version),
        NAME.prop_map(|alias| Qualifier::Alias(alias.parse().unwrap())),
    ]
}

fn outside() -> impl Strategy<Value = Outside> {
    let kinds =
        [OutsideKind::Object, OutsideKind::Queue, OutsideKind::Stream, OutsideKind::Topic, OutsideKind::Webhook];
    (prop::sample::select(kinds.to_vec()), any::<String>()).prop_map(|(kind, target)| Outside { kind, target })
}

fn destination() -> impl Strategy<Value = Destination> {
    let target = (function_id(), path(), qualifier());
    prop_oneof![
        target.prop_map(|(id, path, qualifier)| Destination::Function(FunctionTarget { id, path, qualifier })),
        outside().prop_map(Destination::Outside),
    ]
}

fn config() -> impl Strategy<Value = AsyncConfig> {
    let retry = (0..=100u32, 1..1_000u64, 1_000..86_400_000u64).prop_map(|(retries, delay, longest)| {
        RetryPolicy::new(retries, Duration::from_millis(delay), Duration::from_millis(longest)).unwrap()
    });
    let terms = (terms(), terms());
    (retry, duration(), option::of(destination()), option::of(destination()), terms).prop_map(
        |(retry, max_event_age, on_success, on_failure, (success_terms, failure_terms))| AsyncConfig {
            retry,
            max_event_age,
            destinations: Destinations { on_success, on_failure, success_terms, failure_terms },
            service_account: Some("ci".parse().unwrap()),
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let format = prop::sample::select(Format::ALL.to_vec());
    (format, any::<bool>(), any::<bool>(), 0..=365u16).prop_map(|(format, account, connection, expires_days)| Terms {
        format,
        service_account: account.then(|| "writer".parse().unwrap()),
        connection: connection.then(|| "minio".parse().unwrap()),
        expires_days,
    })
}

fn failure() -> impl Strategy<Value = Failure> {
    let plain = [
        FailureKind::AccessDenied,
        FailureKind::Interrupted,
        FailureKind::Load,
        FailureKind::OutOfMemory,
        FailureKind::Permanent,
        FailureKind::ResponseTooLarge,
        FailureKind::Retryable,
        FailureKind::StackOverflow,
        FailureKind::Throttled,
        FailureKind::Timeout,
        FailureKind::Trap,
        FailureKind::TableTooLarge,
        FailureKind::TooManyInstances,
        FailureKind::TooManyHandles,
        FailureKind::OutOfFuel,
    ];
    let kind = prop_oneof![
        any::<i32>().prop_map(FailureKind::ExitCode),
        any::<u16>().prop_map(FailureKind::HttpStatus),
        prop::sample::select(plain.to_vec()),
    ];
    let advice = prop_oneof![
        Just(Advice::Retry),
        duration().prop_map(Advice::RetryAfter),
        duration().prop_map(Advice::Postpone),
        Just(Advice::GiveUp),
    ];
    (kind, any::<String>(), advice).prop_map(|(kind, message, advice)| Failure::new(kind, message, advice))
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let end = (time(), option::of(failure()), option::of(time()));
    let end = end.prop_map(|(at, failure, retry_at)| AttemptEnd { at, failure, retry_at, usage: usage(at.as_ms()) });
    (number(), time(), option::of(end)).prop_map(|(number, started, end)| Attempt { number, started, end })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let reasons = [
        FailedFor::FunctionRemoved,
        FailedFor::HopLimitExceeded,
        FailedFor::PermanentFailure,
        FailedFor::RetriesExhausted,
    ];
    prop_oneof![
        Just(Outcome::Succeeded),
        prop::sample::select(reasons.to_vec()).prop_map(Outcome::Failed),
        Just(Outcome::Expired),
        Just(Outcome::Cancelled),
    ]
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let way = prop::sample::select(vec![Way::Destination, Way::Callback]);
    let more = (way, terms(), option::of(time()), option::of(any::<String>()));
    let delivery = (outside(), any::<u32>(), time(), more)
        .prop_map(|(to, tries, due, (way, terms, since, error))| Delivery { to, tries, due, way, terms, since, error });
    vec(delivery, 0..3)
}

fn state() -> impl Strategy<Value = State> {
    let lease = any::<u128>().prop_map(|owner| Lease { owner: uuid::Uuid::from_u128(owner) });
    prop_oneof![
        (time(), number()).prop_map(|(due, attempt)| State::Queued { due, attempt }),
        (number(), lease).prop_map(|(attempt, lease)| State::Running { attempt, lease }),
        (outcome(), time(), deliveries(), deliveries()).prop_map(|(outcome, at, deliveries, undelivered)| {
            State::Delivering { outcome, at, deliveries, undelivered }
        }),
        (outcome(), time(), deliveries()).prop_map(|(outcome, at, undelivered)| State::Done {
            outcome,
            at,
            undelivered
        }),
    ]
}

fn payload() -> impl Strategy<Value = PayloadInfo> {
    (any::<u64>(), any::<String>()).prop_map(|(bytes, content_type)| PayloadInfo { bytes, content_type })
}

fn invocation() -> impl Strategy<Value = Invocation> {
    let target = (function_id(), path(), option::of(number())).prop_map(|(function, path, version)| Target {
        function,
        path,
        version,
    });
    let head = (any::<String>(), any::<String>(), vec(any::<(String, Vec<u8>)>(), 0..3))
        .prop_map(|(method, target, headers)| RequestHead { method, target, headers });
    let request = (payload(), option::of(any::<String>()), vec(any::<(String, String)>(), 0..3), option::of(head))
        .prop_map(|(payload, traceparent, attributes, head)| Request { payload, traceparent, attributes, head });
    let lineage = (vec(invocation_id(), 0..4), option::of(invocation_id()))
        .prop_map(|(chain, retry_of)| Lineage { chain, retry_of });
    let policy = (config(), any::<u32>(), option::of(outside())).prop_map(|(config, hop_limit, callback)| Policy {
        config,
        hop_limit,
        callback,
        invoker: None,
    });
    let mode = prop_oneof![Just(Mode::Async), Just(Mode::Sync)];
    let fixed = (invocation_id(), target, mode, time(), time(), request, lineage, policy, any::<u16>());
    (fixed, vec(attempt(), 0..4), state(), option::of(payload())).prop_map(
        |((id, target, mode, accepted, first_due, request, lineage, policy, spread), attempts, state, result)| {
            Invocation {
                id,
                target,
                mode,
                accepted,
                first_due,
                request,
                lineage,
                policy,
                priority: Priority::ALL[usize::from(spread) % 3],
                spread,
                attempts,
                state,
                result,
            }
        },
    )
}

fn function() -> impl Strategy<Value = Function> {
    let aliases = btree_map(NAME.prop_map(|alias| alias.parse().unwrap()), number(), 0..3);
    (function_id(), path(), time(), number(), aliases, option::of(config()), btree_map(number(), config(), 0..3))
        .prop_map(|(id, path, created, latest, aliases, async_config, version_configs)| Function {
            id,
            path,
            created,
            latest: created.as_ms().is_multiple_of(3).then_some(latest),
            weights: aliases.keys().map(|alias: &AliasName| (alias.clone(), [(latest, 7)].into())).collect(),
            aliases,
            annotations: [("dialect".to_owned(), created.to_string())].into(),
            disabled: created.as_ms().is_multiple_of(2),
            queue: QueueConfig { paused: created.as_ms() % 2 == 0, ..QueueConfig::default() },
            async_config,
            version_configs,
        })
}

fn version() -> impl Strategy<Value = Version> {
    let space = any::<[u32; 5]>().prop_map(|[table_elements, instances, handles, log_bytes, result_bytes]| Space {
        table_elements,
        instances,
        handles,
        log_bytes,
        result_bytes,
    });
    let limits = (any::<u64>(), duration(), option::of(number()), space, option::of(any::<u64>())).prop_map(
        |(memory_bytes, timeout, concurrency, space, fuel)| Limits { memory_bytes, timeout, concurrency, space, fuel },
    );
    let named = [Entrypoint::Typed("a:b/c@1.0.0#d".parse().unwrap()), Entrypoint::Raw("run".parse().unwrap())];
    let entrypoint = prop::sample::select([&Entrypoint::ALL[..], &named].concat());
    let settings = (vec(any::<String>(), 0..3), btree_map(any::<String>(), any::<String>(), 0..3));
    (number(), time(), any::<[u8; 32]>(), any::<u64>(), entrypoint, settings, limits).prop_map(
        |(number, created, digest, module_bytes, entrypoint, (arguments, environment), limits)| Version {
            number,
            created,
            digest: Digest::from_bytes(digest),
            module_bytes,
            entrypoint,
            arguments,
            environment,
            debug_info: limits.concurrency.is_some(),
            reuse: limits.concurrency,
            wasi_0_3: limits.fuel.is_some(),
            core_dump: limits.fuel.is_none(),
            cgi: false,
            instance_concurrency: limits.concurrency,
            wants: limits.concurrency.map(|n| format!("test:import/of@{n}")).into_iter().collect(),
            annotations: limits.fuel.map(|fuel| ("dialect".to_owned(), fuel.to_string())).into_iter().collect(),
            limits,
            grants: grants(),
        },
    )
}

fn usage(any: u64) -> Option<Usage> {
    any.is_multiple_of(2).then(|| Usage { waited_us: any, memory_bytes: any / 3, fuel: Some(any), ..Usage::default() })
}

fn grants() -> Grants {
    Grants {
        http: vec!["https://*.example.com:8443".parse().unwrap(), "private+http://[::1]:*".parse().unwrap()],
        directories: vec!["/data/out:/out:rw".parse().unwrap()],
        key_value: vec!["sessions".parse().unwrap()],
        functions: vec!["media/*".parse().unwrap()],
        secrets: BTreeMap::from([("API_KEY".to_owned(), "api-key".parse().unwrap())]),
        config: BTreeMap::from([("mode".to_owned(), "dry".to_owned())]),
    }
}

fn read_back<T: Serialize + DeserializeOwned>(value: &T) -> T {
    decode(&encode(value), || "it".to_owned()).unwrap()
}

proptest! {
    #[test]
    fn an_invocation_in_any_state_comes_back_as_it_was(invocation in invocation()) {
        prop_assert_eq!(&read_back(&invocation), &invocation);
    }

    #[test]
    fn a_function_comes_back_as_it_was(function in function()) {
        prop_assert_eq!(&read_back(&function), &function);
    }

    #[test]
    fn a_version_comes_back_as_it_was(version in version()) {
        prop_assert_eq!(&read_back(&version), &version);
    }

    #[test]
    fn a_record_cut_short_or_with_bytes_behind_it_is_damaged(invocation in invocation(), cut in 0.0..1.0f64) {
        let whole = encode(&invocation);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place within the record")]
        let cut = (whole.len() as f64 * cut) as usize;
        prop_assert!(read::<Invocation>(&whole[..cut]).is_err());
        prop_assert!(read::<Invocation>(&[&whole[..], b"x"].concat()).is_err());
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in vec(any::<u8>(), 0..200)) {
        drop(read::<Invocation>(&[&[FORMAT][..], &bytes].concat()));
    }
}

#[test]
fn a_record_that_cannot_be_read_is_named_with_the_reason() {
    let error = decode::<Invocation>(&[3, 0xc0], || "invocation 7".to_owned()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("invocation 7") && text.contains("format 3") && text.contains("format 2"), "{text}");
    let error = decode::<Invocation>(&[2, 0xc0], || "invocation 7".to_owned()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { what, .. } if what == "invocation 7"));
}

/// The bytes of a fixture: pairs of hexadecimal digits in lines.
fn fixture(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[track_caller]
fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str, expected: &T) {
    assert_eq!(&decode::<T>(&fixture(text), || "the fixture".to_owned()).unwrap(), expected);
}

#[test]
fn bytes_of_format_2_are_still_read() {
    check(include_str!("../../tests/fixtures/store/invocation-2.hex"), &old_invocation());
    check(include_str!("../../tests/fixtures/store/function-2.hex"), &old_function());
    check(include_str!("../../tests/fixtures/store/version-2.hex"), &old_version());
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + ms)
}

fn n(number: u32) -> VersionNumber {
    VersionNumber::new(number).unwrap()
}

fn old_path() -> FunctionPath {
    FunctionPath { namespace: "shop".parse().unwrap(), name: "resize-image".parse().unwrap() }
}

fn old_config() -> AsyncConfig {
    let next = FunctionTarget {
        id: FunctionId::from_bytes([3; 16]),
        path: FunctionPath { namespace: "default".parse().unwrap(), name: "b".parse().unwrap() },
        qualifier: Qualifier::Alias("prod".parse().unwrap()),
    };
    AsyncConfig {
        retry: RetryPolicy::new(3, Duration::from_millis(1_500), Duration::from_secs(60)).unwrap(),
        max_event_age: Duration::from_secs(7_200),
        destinations: Destinations {
            on_success: Some(Destination::Function(next)),
            on_failure: Some(Destination::Outside(Outside { kind: OutsideKind::Queue, target: "failed".to_owned() })),
            ..Destinations::default()
        },
        service_account: None,
    }
}

fn delivery(to: Outside, tries: u32, due: u64) -> Delivery {
    let (way, terms) = (Way::Destination, Terms::default());
    Delivery { to, tries, due: at(due), way, terms, since: None, error: None }
}

fn old_invocation() -> Invocation {
    let failed = Failure::new(FailureKind::HttpStatus(503), "busy", Advice::RetryAfter(Duration::from_secs(2)));
    let exited = Failure::retry(FailureKind::ExitCode(-1), "Grüße");
    let first = AttemptEnd { at: at(20), failure: Some(failed), retry_at: Some(at(2_020)), usage: None };
    let second = AttemptEnd { at: at(2_040), failure: Some(exited), retry_at: None, usage: None };
    let to = Outside { kind: OutsideKind::Webhook, target: "https://example.org/hook".to_owned() };
    Invocation {
        id: InvocationId::from_bytes([1; 16]),
        target: Target { function: FunctionId::from_bytes([2; 16]), path: old_path(), version: Some(n(300)) },
        mode: Mode::Async,
        accepted: at(0),
        first_due: at(5),
        request: Request {
            payload: PayloadInfo { bytes: 70_000, content_type: "application/json".to_owned() },
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            attributes: vec![("color".to_owned(), "blue".to_owned())],
            head: None,
        },
        lineage: Lineage {
            chain: vec![InvocationId::from_bytes([4; 16]), InvocationId::from_bytes([5; 16])],
            retry_of: Some(InvocationId::from_bytes([6; 16])),
        },
        policy: Policy { config: old_config(), hop_limit: 16, callback: None, invoker: None },
        priority: Priority::default(),
        spread: 40_000,
        attempts: vec![
            Attempt { number: n(1), started: at(10), end: Some(first) },
            Attempt { number: n(2), started: at(2_030), end: Some(second) },
        ],
        state: State::Delivering {
            outcome: Outcome::Failed(FailedFor::RetriesExhausted),
            at: at(2_040),
            deliveries: vec![delivery(to.clone(), 2, 9_000)],
            undelivered: vec![delivery(to, 9, 8_000)],
        },
        result: Some(PayloadInfo::default()),
    }
}

fn old_function() -> Function {
    Function {
        id: FunctionId::from_bytes([2; 16]),
        path: old_path(),
        created: at(0),
        latest: Some(n(300)),
        aliases: BTreeMap::from([("prod".parse().unwrap(), n(299))]),
        async_config: Some(old_config()),
        version_configs: BTreeMap::from([(n(299), AsyncConfig::default())]),
        queue: QueueConfig::default(),
        annotations: BTreeMap::new(),
        weights: BTreeMap::new(),
        disabled: false,
    }
}

fn old_version() -> Version {
    Version {
        number: n(300),
        created: at(0),
        digest: Digest::from_bytes([0xab; 32]),
        module_bytes: 123_456_789,
        entrypoint: Entrypoint::Command,
        arguments: vec!["--fast".to_owned()],
        environment: BTreeMap::from([("MODE".to_owned(), "dry".to_owned())]),
        limits: Limits {
            memory_bytes: 128 << 20,
            timeout: Duration::from_millis(30_500),
            concurrency: NonZeroU32::new(10),
            ..Limits::default()
        },
        grants: Grants::default(),
        debug_info: false,
        wants: Vec::new(),
        reuse: None,
        wasi_0_3: false,
        core_dump: false,
        annotations: std::collections::BTreeMap::new(),
        cgi: false,
        instance_concurrency: None,
    }
}
