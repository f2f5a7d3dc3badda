;; handles: a command that asks for its standard output 10,000 times, gives none of the handles back, and then ends well.
;; The host keeps something for each, so it has to stop at the version's limit.
(component $handles
  (import "wasi:io/streams@0.2.0" (instance $streams (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer $handles $stream (type $stream))
    (export "get-stdout" (func (result (own $stream))))))
  (core func $get (canon lower (func $stdout "get-stdout")))

  (core module $guest
    (import "" "get" (func $get (result i32)))
    (func (export "run") (result i32) (local $left i32)
      (local.set $left (i32.const 10000))
      (loop $again
        (drop (call $get))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      (i32.const 0)))

  (core instance $guest (instantiate $guest (with "" (instance (export "get" (func $get))))))
  (func $run (result (result)) (canon lift (core func $guest "run")))
  (instance $cli (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli)))
