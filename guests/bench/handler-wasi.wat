;; handler-wasi: a handler that answers with its payload and imports WASI, as what compilers of languages make does: at
;; each call it asks for the time, for its environment and for its standard error. The rest is `hostile/echo.wat`, where
;; the layout of the event and of the result is explained.
(component
  ;; What of WASI it uses, in the form in which any 0.2 provides it.
  (import "wasi:io/error@0.2.0" (instance $io-error
    (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error (type $error'))
    (export "error" (type (eq $error')))
    (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output-stream (type $output-stream'))
    (export "output-stream" (type $stream (eq $output-stream')))
    (export "get-stderr" (func (result (own $stream))))))
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (export "now" (func (result u64)))))

  ;; Memory and its allocation stand apart: a function that is imported may need them before those who call it exist.
  (core module $memory
    (memory (export "memory") 1)

    ;; Memory below 1024 is for the result. Above it everything that the host passes in is laid end to end.
    (global $top (export "top") (mut i32) (i32.const 1024))

    (func $allocate (param $align i32) (param $length i32) (result i32) (local $start i32) (local $missing i32)
      (local.set $start
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $start) (local.get $length)))
      (if (i32.lt_u (global.get $top) (local.get $start))
        (then (unreachable)))
      (local.set $missing
        (i32.sub
          (i32.shr_u (i32.add (global.get $top) (i32.const 0xffff)) (i32.const 16))
          (memory.size)))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
            (then (unreachable)))))
      (local.get $start))

    (func (export "cabi_realloc")
      (param $old i32) (param $old_length i32) (param $align i32) (param $length i32) (result i32) (local $new i32)
      (local.set $new (call $allocate (local.get $align) (local.get $length)))
      (memory.copy
        (local.get $new)
        (local.get $old)
        (select
          (local.get $old_length)
          (local.get $length)
          (i32.lt_u (local.get $old_length) (local.get $length))))
      (local.get $new)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory))
  (alias core export $memory "cabi_realloc" (core func $realloc))

  (core func $now (canon lower (func $clock "now")))
  (core func $get-environment
    (canon lower (func $environment "get-environment") (memory $memory) (realloc $realloc) string-encoding=utf8))
  (core func $get-stderr (canon lower (func $stderr "get-stderr")))
  (core func $drop-stream (canon resource.drop $output-stream))

  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "memory" "top" (global $top (mut i32)))
    (import "wasi" "now" (func $now (result i64)))
    (import "wasi" "get-environment" (func $get-environment (param i32)))
    (import "wasi" "get-stderr" (func $get-stderr (result i32)))
    (import "wasi" "drop-stream" (func $drop-stream (param i32)))

    (func (export "handle") (param $event i32) (result i32)
      (drop (call $now))
      (call $get-environment (i32.const 16))
      (call $drop-stream (call $get-stderr))
      (i32.store8 (i32.const 0) (i32.const 0))
      (i64.store (i32.const 8) (i64.load offset=80 (local.get $event)))
      (i32.const 0))

    ;; Called when the host has copied the result: all memory is free again.
    (func (export "forget") (param $result i32)
      (global.set $top (i32.const 1024))))
  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "wasi" (instance
      (export "now" (func $now))
      (export "get-environment" (func $get-environment))
      (export "get-stderr" (func $get-stderr))
      (export "drop-stream" (func $drop-stream))))))
  (alias core export $guest "handle" (core func $handle))
  (alias core export $guest "forget" (core func $forget))

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
    (canon lift (core func $handle) (memory $memory) (realloc $realloc) (post-return $forget) string-encoding=utf8))

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
