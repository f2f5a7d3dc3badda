;; fork: a handler that leaves two invocations of itself to the queue, as does each of them, and so on. It fails when it is
;; refused one, with what it was told. The chain in front of each grows, so the host has to refuse at the hop limit; until
;; then there are twice as many at each step, and others have to get their turn all the same.
;;
;; What `handle` is given and returns is described in `echo.wat`. Its version needs a grant for the function itself.
(component
  (import "tidemill:function/invoke@1.0.0" (instance $invoke
    (type $reply' (record
      (field "id" string)
      (field "content-type" string)
      (field "status" (option u16))
      (field "body" (list u8))))
    (export "reply" (type $reply (eq $reply')))
    (type $failed' (record
      (field "id" string)
      (field "kind" string)
      (field "message" string)
      (field "answer" (option $reply))))
    (export "failed" (type $failed (eq $failed')))
    (type $overloaded' (record (field "message" string) (field "retry-after-ms" u64)))
    (export "overloaded" (type $overloaded (eq $overloaded')))
    (type $error' (variant
      (case "denied" string)
      (case "not-found" string)
      (case "bad-request" string)
      (case "too-large" string)
      (case "overloaded" $overloaded)
      (case "hop-limit" string)
      (case "failed" $failed)
      (case "unavailable" string)))
    (export "error" (type $error (eq $error')))
    (type $priority' (enum "high" "normal" "low"))
    (export "priority" (type $priority (eq $priority')))
    (type $options' (record
      (field "delay-ms" u64)
      (field "idempotency-key" (option string))
      (field "priority" $priority)))
    (export "options" (type $options (eq $options')))
    (export "enqueue" (func
      (param "function" string) (param "payload" (list u8)) (param "content-type" string) (param "options" $options)
      (result (result string (error $error)))))))

  ;; Memory below 1024 is for results. Above it everything that the host passes in is laid end to end; what does not fit
  ;; the one page the host finds out of bounds.
  (core module $memory
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "cabi_realloc")
      (param $old i32) (param $old_length i32) (param $align i32) (param $length i32) (result i32) (local $start i32)
      (local.set $start
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $start) (local.get $length)))
      (local.get $start)))
  (core instance $space (instantiate $memory))
  (alias core export $space "memory" (core memory $memory))
  (alias core export $space "cabi_realloc" (core func $realloc))
  (core func $enqueue
    (canon lower (func $invoke "enqueue") (memory $memory) (realloc $realloc) string-encoding=utf8))

  (core module $guest
    (import "space" "memory" (memory 1))
    (import "invoke" "enqueue" (func $enqueue
      (param i32 i32) (param i32 i32) (param i32 i32) (param i64 i32 i32 i32 i32) (param i32)))

    ;; Enqueues itself with its own payload, at once and as urgent as usual. What came of it is at 64: 64 is it an error,
    ;; 72 which, 80 its message.
    (func $enqueue_itself (param $event i32) (result i32)
      (call $enqueue
        (i32.load offset=8 (local.get $event)) (i32.load offset=12 (local.get $event))
        (i32.load offset=80 (local.get $event)) (i32.load offset=84 (local.get $event))
        (i32.const 0) (i32.const 0)
        (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 64))
      (i32.load8_u (i32.const 64)))

    (func (export "handle") (param $event i32) (result i32)
      (if (i32.or (call $enqueue_itself (local.get $event)) (call $enqueue_itself (local.get $event)))
        (then
          ;; `permanent`: another attempt would be told the same.
          (i32.store8 (i32.const 0) (i32.const 1))
          (i32.store8 (i32.const 8) (i32.const 1))
          (i64.store (i32.const 16) (i64.load (i32.const 80)))
          (return (i32.const 0))))
      (i32.store8 (i32.const 0) (i32.const 0))
      (i64.store (i32.const 8) (i64.const 0))
      (i32.const 0)))

  (core instance $guest (instantiate $guest
    (with "space" (instance $space))
    (with "invoke" (instance (export "enqueue" (func $enqueue))))))
  (alias core export $guest "handle" (core func $handle))

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

  (type $handle-type (func (param "event" $event) (result (result (list u8) (error $failure)))))
  (func $lifted (type $handle-type)
    (canon lift (core func $handle) (memory $memory) (realloc $realloc) string-encoding=utf8))

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
    (import "handle-function" (func $handle
      (param "event" $event) (result (result (list u8) (error $failure)))))

    (export $event-name "event" (type $event))
    (export $failure-name "failure" (type $failure))
    (export "handle" (func $handle)
      (func (param "event" $event-name) (result (result (list u8) (error $failure-name))))))

  (instance $handler (instantiate $interface
    (with "event-type" (type $event))
    (with "throttle-type" (type $throttle))
    (with "failure-type" (type $failure))
    (with "handle-function" (func $lifted))))
  (export "tidemill:function/handler@1.0.0" (instance $handler)))
