//! A limit on fuel: the same work costs the same, and more of it ends the guest.

use super::*;

/// Counts to its payload's first byte, a thousand times as far.
fn counts() -> Bytes {
    from_text(
        r#"(module
             (memory (export "memory") 1)
             (func (export "alloc") (param i32) (result i32) (i32.const 64))
             (func (export "count") (param $at i32) (param i32) (result i64)
               (local $left i32)
               (local.set $left (i32.mul (i32.load8_u (local.get $at)) (i32.const 1000)))
               (loop $again
                 (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                 (br_if $again (i32.gt_s (local.get $left) (i32.const 0))))
               (i64.const 0)))"#,
    )
}

async fn spent(engine: &Engine, payload: &[u8], fuel: Option<u64>) -> (Option<u64>, Option<FailureKind>) {
    let call = call_under(payload.to_vec(), |version| version.limits.fuel = fuel);
    let ready = deploy_for(engine, counts(), &call.version).await;
    let ran = engine.run(&ready, call).await;
    (ran.usage.fuel, ran.end.err().map(|failure| failure.kind))
}

#[tokio::test]
async fn the_same_work_uses_up_the_same_fuel_and_more_of_it_more() {
    let engine = engine();
    let most = Some(1_000_000);
    let (first, again) = (spent(&engine, &[3], most).await, spent(&engine, &[3], most).await);
    assert_eq!(first, again);
    let (once, twice) = (first.0.unwrap(), spent(&engine, &[6], most).await.0.unwrap());
    assert!(once > 3_000 && twice > 2 * once - 100, "{once} {twice}");
    // As much as it takes is enough; half of that ends it, with all of it used up.
    assert_eq!(spent(&engine, &[3], Some(once)).await, (Some(once), None));
    assert_eq!(spent(&engine, &[3], Some(once / 2)).await, (Some(once / 2), Some(FailureKind::OutOfFuel)));
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted_and_no_second_engine_is_made() {
    let engine = engine();
    assert_eq!(spent(&engine, &[255], None).await, (None, None));
    assert_eq!(engine.engines_made(), 1);
    spent(&engine, &[1], Some(1_000_000)).await;
    assert_eq!(engine.engines_made(), 2);
}

#[tokio::test]
async fn a_guest_out_of_fuel_says_so_with_where_it_was() {
    let engine = engine();
    let call = call_under("", |version| version.limits.fuel = Some(1_000));
    let ready = deploy_for(&engine, guest("hostile/spin.wat"), &call.version).await;
    let failure = failure(engine.run(&ready, call).await);
    assert_eq!((failure.kind, failure.advice), (FailureKind::OutOfFuel, Advice::Retry));
    assert!(failure.message.starts_with("the function used up its limit of 1000 fuel"), "{}", failure.message);
}

#[tokio::test]
async fn what_was_used_up_is_told_where_it_is_known_exactly_and_not_where_a_guest_was_cut_short() {
    let engine = engine();
    let limited = |payload: &'static str| {
        call_under(payload, |version| {
            version.limits.fuel = Some(1 << 50);
            version.limits.timeout = Duration::from_millis(300);
            version.arguments = vec!["3".to_owned()];
        })
    };
    let used = async |module: Bytes| {
        let call = limited("");
        let ready = deploy_for(&engine, module, &call.version).await;
        let ran = engine.run(&ready, call).await;
        (ran.usage.fuel.is_some(), ran.end.unwrap_err().kind)
    };
    assert_eq!(used(guest("hostile/spin.wat")).await, (false, FailureKind::Timeout));
    assert_eq!(used(guest("hostile/divide.wat")).await, (false, FailureKind::Trap));
    assert_eq!(used(guest("hostile/exit.wat")).await, (true, FailureKind::ExitCode(3)));
}
