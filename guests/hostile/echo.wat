;; echo: a handler that answers with its payload, written by hand: the whole of `tidemill:function/handler@1.0.0`
;; with no toolchain in between. It does no harm; it is here because it is what the harmful ones can be compared with.
;;
;; The event has 20 values when it is flattened, more than the 16 that the canonical ABI passes as parameters, so
;; `handle` gets one pointer to it:
;;
;;    0 id            24 content-type   48 chain                        72 attributes
;;    8 function      32 accepted-ms    56 hop                          80 payload
;;   16 version       40 deadline-ms    60 traceparent (is there one,   88 end
;;   20 attempt                            64 pointer, 68 length)
;;
;; Strings and lists are a pointer and a length, 4 bytes each. It returns a pointer to the result, aligned to 8 because
;; `failure` holds a u64: 0 is it an error, 8 pointer, 12 length, 32 end.
(component
  (core module $guest
    (memory (export "memory") 1)

    ;; Memory below 1024 is for the result. Above it everything that the host passes in is laid end to end.
    (global $top (mut i32) (i32.const 1024))

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
      (local.get $new))

    (func (export "handle") (param $event i32) (result i32)
      (i32.store8 (i32.const 0) (i32.const 0))
      (i64.store (i32.const 8) (i64.load offset=80 (local.get $event)))
      (i32.const 0))

    ;; Called when the host has copied the result: all memory is free again.
    (func (export "forget") (param $result i32)
      (global.set $top (i32.const 1024))))

  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "cabi_realloc" (core func $realloc))
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
