;; cat: a command of WASI 0.3 that hands its standard input on as its standard output, and ends well once all of it is
;; written. Neither passes through its memory: one is a stream that is given, the other takes one.
(component
  (import "wasi:cli/types@0.3.0" (instance $types
    (type $error-code' (enum "io" "illegal-byte-sequence" "pipe"))
    (export "error-code" (type (eq $error-code')))))
  (alias export $types "error-code" (type $error-code))
  (import "wasi:cli/stdin@0.3.0" (instance $stdin
    (alias outer 1 $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "read-via-stream" (func (result (tuple (stream u8) (future (result (error $error-code)))))))))
  (import "wasi:cli/stdout@0.3.0" (instance $stdout
    (alias outer 1 $error-code (type $error-code'))
    (export "error-code" (type $error-code (eq $error-code')))
    (export "write-via-stream" (func (param "data" (stream u8)) (result (future (result (error $error-code))))))))
  (type $ended (future (result (error $error-code))))

  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $memory))

  (core func $read (canon lower (func $stdin "read-via-stream") (memory $memory)))
  (core func $write (canon lower (func $stdout "write-via-stream")))
  (core func $await (canon future.read $ended async (memory $memory)))
  (core func $drop (canon future.drop-readable $ended))
  (core func $new-set (canon waitable-set.new))
  (core func $drop-set (canon waitable-set.drop))
  (core func $join (canon waitable.join))
  (core func $return (canon task.return (result (result))))

  (core module $guest
    (import "host" "memory" (memory 1))
    (import "host" "read" (func $read (param i32)))
    (import "host" "write" (func $write (param i32) (result i32)))
    (import "host" "await" (func $await (param i32 i32) (result i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "new-set" (func $new-set (result i32)))
    (import "host" "drop-set" (func $drop-set (param i32)))
    (import "host" "join" (func $join (param i32 i32)))
    (import "host" "return" (func $return (param i32)))
    ;; What is waited for, and in which set.
    (global $written (mut i32) (i32.const 0))
    (global $set (mut i32) (i32.const 0))
    ;; 0: the stream that is read, and how that ends. 16: how writing has ended, 0 where all is well.
    (func (export "run") (result i32)
      (call $read (i32.const 0))
      (global.set $written (call $write (i32.load (i32.const 0))))
      (if (i32.ne (call $await (global.get $written) (i32.const 16)) (i32.const -1))
        (then (return (call $ended))))
      (global.set $set (call $new-set))
      (call $join (global.get $written) (global.get $set))
      (i32.or (i32.shl (global.get $set) (i32.const 4)) (i32.const 2)))
    (func (export "call-back") (param i32 i32 i32) (result i32)
      (call $join (global.get $written) (i32.const 0))
      (call $drop-set (global.get $set))
      (call $ended))
    (func $ended (result i32)
      (call $drop (global.get $written))
      (call $drop (i32.load (i32.const 4)))
      (call $return (i32.load8_u (i32.const 16)))
      (i32.const 0)))
  (core instance $guest (instantiate $guest
    (with "host" (instance
      (export "memory" (memory $memory))
      (export "read" (func $read))
      (export "write" (func $write))
      (export "await" (func $await))
      (export "new-set" (func $new-set))
      (export "drop-set" (func $drop-set))
      (export "join" (func $join))
      (export "drop" (func $drop))
      (export "return" (func $return))))))
  (alias core export $guest "run" (core func $run))
  (alias core export $guest "call-back" (core func $call-back))

  (func $lifted async (result (result))
    (canon lift (core func $run) async (callback $call-back)))
  (instance $exported (export "run" (func $lifted)))
  (export "wasi:cli/run@0.3.0" (instance $exported)))
