use super::*;

/// A command that calls one function of WASI and ends with what it returned as its exit code.
fn asks(import: &str, arguments: &str) -> Bytes {
    from_text(&format!(
        r#"(module
             (import "wasi_snapshot_preview1" {import})
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (memory (export "memory") 2)
             (data (i32.const 4096) "/etc/passwd")
             (func (export "_start") (call $exit (call $ask {arguments}))))"#
    ))
}

#[tokio::test]
async fn a_guest_has_no_directories() {
    const BADF: i32 = 8;
    let first = asks(r#""fd_prestat_get" (func $ask (param i32 i32) (result i32))"#, "(i32.const 3) (i32.const 0)");
    assert_eq!(failure(run(first, call("")).await).kind, FailureKind::ExitCode(BADF));
    let open = asks(
        r#""path_open" (func $ask (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))"#,
        "(i32.const 3) (i32.const 0) (i32.const 4096) (i32.const 11) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0)
         (i32.const 0)",
    );
    assert_eq!(failure(run(open, call("")).await).kind, FailureKind::ExitCode(BADF));
}

#[tokio::test]
async fn a_guest_sees_no_environment_but_what_it_is_given() {
    // Writes the block of its environment to stdout: sizes, then the block, then one buffer of that size.
    let module = from_text(
        r#"(module
             (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 2)
             (func (export "_start")
               (drop (call $sizes (i32.const 0) (i32.const 12)))
               (drop (call $get (i32.const 1024) (i32.const 8192)))
               (i32.store (i32.const 8) (i32.const 8192))
               (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))"#,
    );
    let given = [("COLOUR", "red"), ("TIDEMILL_HOP", "a lie")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let written = body(run(module, call_under("", |version| version.environment = BTreeMap::from(given))).await);
    let mut seen: Vec<_> = written.split_terminator('\0').collect();
    seen.sort_unstable();
    let expected = [
        "COLOUR=red",
        "TIDEMILL_ATTEMPT=2",
        "TIDEMILL_CHAIN=first,second,0197a0c8-0000-7000-8000-000000000001",
        "TIDEMILL_CONTENT_TYPE=text/plain",
        "TIDEMILL_DEADLINE_MS=31000",
        "TIDEMILL_FUNCTION=guest",
        "TIDEMILL_HOP=2",
        "TIDEMILL_INVOCATION_ID=0197a0c8-0000-7000-8000-000000000001",
        "TIDEMILL_VERSION=3",
        "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ];
    assert_eq!(seen, expected);
}

/// A command component that calls `$ask`, a host function without parameters whose answer begins with a
/// discriminant at address 0, and ends well if that says `error`.
fn is_denied(import: &str, lower: &str, call: &str) -> Bytes {
    from_text(&format!(
        r#"(component
             {import}
             (core module $memory (memory (export "memory") 1))
             (core instance $m (instantiate $memory))
             {lower}
             (core module $guest
               (import "host" "ask" (func $ask (param i32 i32)))
               (import "host" "memory" (memory 1))
               (func (export "run") (result i32)
                 {call}
                 (i32.ne (i32.load8_u (i32.const 0)) (i32.const 1))))
             (core instance $instance (instantiate $guest
               (with "host" (instance (export "ask" (func $ask)) (export "memory" (memory $m "memory"))))))
             (func $run (result (result)) (canon lift (core func $instance "run")))
             (instance $exported (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $exported)))"#
    ))
}

#[tokio::test]
async fn a_guest_has_no_network() {
    let module = is_denied(
        r#"(import "wasi:sockets/network@0.2.0" (instance $network
             (export "network" (type (sub resource)))
             (type $codes (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
               "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit"
               "address-not-bindable" "address-in-use" "remote-unreachable" "connection-refused" "connection-reset"
               "connection-aborted" "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
               "permanent-resolver-failure"))
             (export "error-code" (type (eq $codes)))
             (type $families (enum "ipv4" "ipv6"))
             (export "ip-address-family" (type (eq $families)))))
           (alias export $network "error-code" (type $error))
           (alias export $network "ip-address-family" (type $family))
           (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
           (alias export $tcp "tcp-socket" (type $socket))
           (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
             (alias outer 1 $error (type $e)) (export "error-code" (type $code (eq $e)))
             (alias outer 1 $family (type $f)) (export "ip-address-family" (type $fam (eq $f)))
             (alias outer 1 $socket (type $s)) (export "tcp-socket" (type $sock (eq $s)))
             (export "create-tcp-socket"
               (func (param "address-family" $fam) (result (result (own $sock) (error $code)))))))
           (alias export $create "create-tcp-socket" (func $ask))"#,
        r#"(core func $ask (canon lower (func $ask) (memory (core memory $m "memory"))))"#,
        "(call $ask (i32.const 0) (i32.const 0))",
    );
    run(module, call("")).await.end.unwrap();
}
