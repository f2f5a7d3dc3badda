//! Limits that are exact, and counts that can be set right.

use super::*;

fn function(n: u8) -> FunctionId {
    FunctionId::new(Timestamp::from_ms(0), [n; 10])
}

fn quota(function: u64, namespace: u64, all: u64) -> Quota {
    let of = |count| Capacity { count, bytes: count * 100 };
    Quota::new(Capacities { function: of(function), namespace: of(namespace), all: of(all) })
}

/// Asks for room for one of `bytes`; says how much of what there is where it is refused.
fn reserve(quota: &Quota, n: u8, namespace: &str, bytes: u64) -> Result<(), (Scope, u64, u64)> {
    let wanted = Wanted { function: function(n), namespace: &namespace.parse().unwrap(), bytes };
    let reserved = quota.reserve(wanted, quota.of_functions(), Timestamp::from_ms(0));
    reserved.map_err(|over| (over.scope, over.limit, over.there))
}

#[test]
fn each_limit_is_exact_and_says_what_is_there() {
    let quota = quota(2, 3, 4);
    assert_eq!([reserve(&quota, 1, "a", 1), reserve(&quota, 1, "a", 1)], [Ok(()); 2]);
    assert_eq!(reserve(&quota, 1, "a", 1), Err((Scope::Function, 2, 2)));
    assert_eq!(reserve(&quota, 2, "a", 1), Ok(()));
    assert_eq!(reserve(&quota, 2, "a", 1), Err((Scope::Namespace, 3, 3)));
    assert_eq!(reserve(&quota, 3, "b", 1), Ok(()));
    assert_eq!(reserve(&quota, 4, "c", 1), Err((Scope::Runtime, 4, 4)));
    quota.settled(function(1), 1, Timestamp::from_ms(0));
    assert_eq!(reserve(&quota, 4, "c", 1), Ok(()));
}

#[test]
fn bytes_are_limited_besides_and_given_back() {
    let quota = quota(10, 10, 10);
    assert_eq!(reserve(&quota, 1, "a", 999), Ok(()));
    assert_eq!(reserve(&quota, 1, "a", 2), Err((Scope::Function, 1_000, 999)));
    quota.give_back(function(1), 999);
    assert_eq!(reserve(&quota, 1, "a", 1_000), Ok(()));
}

#[test]
fn what_follows_is_counted_and_never_refused() {
    let quota = quota(1, 1, 1);
    let namespace = "a".parse().unwrap();
    (0..3).for_each(|_| quota.add(Wanted { function: function(1), namespace: &namespace, bytes: 1 }));
    assert_eq!(reserve(&quota, 1, "a", 1), Err((Scope::Function, 1, 3)));
}

#[test]
fn the_time_to_come_again_follows_from_how_fast_they_settle() {
    let quota = quota(1_000, 1_000, 1_000);
    let at = |s: u64| Timestamp::from_ms(1_000_000 + s * 1_000);
    (0..1_000).for_each(|_| reserve(&quota, 1, "a", 0).unwrap());
    let wait = |s| {
        let wanted = Wanted { function: function(1), namespace: &"a".parse().unwrap(), bytes: 0 };
        quota.reserve(wanted, quota.of_functions(), at(s)).map_err(|over| over.retry_after.as_secs()).err()
    };
    assert_eq!(wait(0), Some(60), "nothing settles");
    (0..20).for_each(|n| {
        quota.settled(function(1), 0, at(n));
        reserve(&quota, 1, "a", 0).unwrap();
    });
    assert_eq!(wait(20), Some(10), "one a second, and a hundredth is ten");
}

#[test]
fn what_is_set_right_counts_for_the_function_its_namespace_and_in_all() {
    let quota = quota(10, 10, 4);
    let (namespace, of) = ("a".parse().unwrap(), |count| Amount { count, bytes: 0 });
    (0..4).for_each(|_| reserve(&quota, 1, "a", 0).unwrap());
    assert!(!quota.correct(function(1), Some(&namespace), of(3), of(1)), "it is not what was seen");
    let moving = quota.moving(function(1));
    assert_eq!(quota.resting().of(function(1)), None);
    assert!(!quota.correct(function(1), Some(&namespace), of(4), of(1)), "something is on its way");
    drop(moving);
    assert!(quota.correct(function(1), Some(&namespace), of(4), of(1)));
    assert!(quota.correct(function(2), Some(&namespace), of(0), of(2)));
    assert_eq!(quota.resting().of(function(2)), Some(of(2)));
    assert_eq!(reserve(&quota, 3, "b", 0), Ok(()));
    assert_eq!(reserve(&quota, 3, "b", 0), Err((Scope::Runtime, 4, 4)));
    assert!(quota.correct(function(2), Some(&namespace), of(2), of(0)));
    assert_eq!(quota.functions_of(&namespace), [function(1)]);
}
