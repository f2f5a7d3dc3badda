;; echo: an asynchronous handler that answers with its payload once two waits of 200 ms are over, which it begins together:
;; the whole of `tidemill:function/handler-async@1.0.0` with no toolchain in between. It needs `serve --wasi-0.3`.
;;
;; The event comes in as in `hostile/echo.wat`. What is returned is passed as it is flattened: is it an error, then pointer
;; and length, and what only failures have. One call at a time is what it can do, so what it works on is global.
(component
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "wait-for" (func async (param "how-long" u64)))))
  (alias export $clock "wait-for" (func $wait-for))

  (core module $memory
    (memory (export "memory") 1)
    ;; Everything that the host passes in is laid end to end.
    (global $top (mut i32) (i32.const 1024))
    (func (export "cabi_realloc")
      (param $old i32) (param $old_length i32) (param $align i32) (param $length i32) (result i32) (local $start i32)
      (local.set $start
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $start) (local.get $length)))
      (if (i32.gt_u (global.get $top) (i32.const 0x10000)) (then (unreachable)))
      (local.get $start))
    (func (export "forget") (global.set $top (i32.const 1024))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory))
  (alias core export $memory "cabi_realloc" (core func $realloc))

  ;; The types come from the package's interface `types`: an import of names alone, which no host has to provide.
  (import "tidemill:function/types@1.0.0" (instance $types
    (type $event' (record
      (field "id" string)
      (field "function" string)
      (field "version" u32)
      (field "attempt" u32)
      (field "content-type" string)
      (field "accepted-ms" u64)
      (field "deadline-ms" u64)
      (field "chain" (list string))
      (field "hop" u32)
      (field "traceparent" (option string))
      (field "attributes" (list (tuple string string)))
      (field "payload" (list u8))))
    (export "event" (type (eq $event')))
    (type $throttle' (record (field "message" string) (field "delay-ms" u64)))
    (export "throttle" (type $throttle (eq $throttle')))
    (type $failure' (variant
      (case "retryable" string)
      (case "permanent" string)
      (case "throttled" $throttle)))
    (export "failure" (type (eq $failure')))))
  (alias export $types "event" (type $event))
  (alias export $types "throttle" (type $throttle))
  (alias export $types "failure" (type $failure))

  (core func $wait (canon lower (func $wait-for) async (memory $memory)))
  (core func $new-set (canon waitable-set.new))
  (core func $drop-set (canon waitable-set.drop))
  (core func $join (canon waitable.join))
  (core func $drop-wait (canon subtask.drop))
  (core func $return
    (canon task.return (result (result (list u8) (error $failure))) (memory $memory) string-encoding=utf8))

  (core module $guest
    (import "host" "wait" (func $wait (param i64) (result i32)))
    (import "host" "new-set" (func $new-set (result i32)))
    (import "host" "drop-set" (func $drop-set (param i32)))
    (import "host" "join" (func $join (param i32 i32)))
    (import "host" "drop-wait" (func $drop-wait (param i32)))
    (import "host" "return" (func $return (param i32 i32 i32 i32 i64)))
    (import "host" "forget" (func $forget))
    (import "host" "memory" (memory 1))
    (global $set (mut i32) (i32.const 0))
    (global $waits (mut i32) (i32.const 0))
    (global $event (mut i32) (i32.const 0))

    ;; Begins to wait. The lower 4 bits say how far that is, 2 is over; the others name it where it is not.
    (func $begin (local $wait i32)
      (local.set $wait (call $wait (i64.const 200000000)))
      (if (i32.ne (i32.and (local.get $wait) (i32.const 15)) (i32.const 2))
        (then
          (call $join (i32.shr_u (local.get $wait) (i32.const 4)) (global.get $set))
          (global.set $waits (i32.add (global.get $waits) (i32.const 1))))))

    ;; Has the host wait for what is in the set (2), or returns and ends (0).
    (func $go-on (result i32)
      (if (global.get $waits)
        (then (return (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))))
      (call $drop-set (global.get $set))
      (call $return
        (i32.const 0)
        (i32.load offset=80 (global.get $event))
        (i32.load offset=84 (global.get $event))
        (i32.const 0)
        (i64.const 0))
      (call $forget)
      (i32.const 0))

    (func (export "handle") (param $event i32) (result i32)
      (global.set $event (local.get $event))
      (global.set $set (call $new-set))
      (call $begin)
      (call $begin)
      (call $go-on))

    ;; Something happened to what was waited for: 1 and 2 say that a call has returned.
    (func (export "call-back") (param $what i32) (param $wait i32) (param $how i32) (result i32)
      (if (i32.or (i32.ne (local.get $what) (i32.const 1)) (i32.ne (local.get $how) (i32.const 2)))
        (then (unreachable)))
      (call $drop-wait (local.get $wait))
      (global.set $waits (i32.sub (global.get $waits) (i32.const 1)))
      (call $go-on)))
  (core instance $guest (instantiate $guest
    (with "host" (instance
      (export "wait" (func $wait))
      (export "new-set" (func $new-set))
      (export "drop-set" (func $drop-set))
      (export "join" (func $join))
      (export "drop-wait" (func $drop-wait))
      (export "return" (func $return))
      (export "forget" (func $memory "forget"))
      (export "memory" (memory $memory))))))
  (alias core export $guest "handle" (core func $handle))
  (alias core export $guest "call-back" (core func $call-back))

  (type $handle-type (func async (param "event" $event) (result (result (list u8) (error $failure)))))
  (func $lifted (type $handle-type)
    (canon lift (core func $handle) async (callback $call-back)
      (memory $memory) (realloc $realloc) string-encoding=utf8))

  ;; An interface that is exported has type names of its own; a component in between is what gives them.
  (component $interface
    (type $event' (record
      (field "id" string)
      (field "function" string)
      (field "version" u32)
      (field "attempt" u32)
      (field "content-type" string)
      (field "accepted-ms" u64)
      (field "deadline-ms" u64)
      (field "chain" (list string))
      (field "hop" u32)
      (field "traceparent" (option string))
      (field "attributes" (list (tuple string string)))
      (field "payload" (list u8))))
    (import "event-type" (type $event (eq $event')))
    (type $throttle' (record (field "message" string) (field "delay-ms" u64)))
    (import "throttle-type" (type $throttle (eq $throttle')))
    (type $failure' (variant
      (case "retryable" string)
      (case "permanent" string)
      (case "throttled" $throttle)))
    (import "failure-type" (type $failure (eq $failure')))
    (import "handle-function" (func $handle async
      (param "event" $event) (result (result (list u8) (error $failure)))))

    (export $event-name "event" (type $event))
    (export $failure-name "failure" (type $failure))
    (export "handle" (func $handle)
      (func async (param "event" $event-name) (result (result (list u8) (error $failure-name))))))

  (instance $handler (instantiate $interface
    (with "event-type" (type $event))
    (with "throttle-type" (type $throttle))
    (with "failure-type" (type $failure))
    (with "handle-function" (func $lifted))))
  (export "tidemill:function/handler-async@1.0.0" (instance $handler)))
