;; typed: a component with a function of its own, `tidemill:bench/text@1.0.0#echo`, which takes a text and gives it back:
;; JSON in, JSON out. It imports nothing.
(component
  (core module $guest
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))

    (func (export "cabi_realloc")
      (param $old i32) (param $old_length i32) (param $align i32) (param $length i32) (result i32)
      (local $start i32) (local $missing i32)
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
      (memory.copy
        (local.get $start)
        (local.get $old)
        (select
          (local.get $old_length)
          (local.get $length)
          (i32.lt_u (local.get $old_length) (local.get $length))))
      (local.get $start))

    ;; A text has two values when it is flattened, and a result of more than one is passed through memory.
    (func (export "echo") (param $pointer i32) (param $length i32) (result i32)
      (i32.store (i32.const 0) (local.get $pointer))
      (i32.store (i32.const 4) (local.get $length))
      (i32.const 0))

    ;; Called when the host has copied the result: all memory is free again.
    (func (export "forget") (param $result i32)
      (global.set $top (i32.const 1024))))

  (core instance $guest (instantiate $guest))
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "cabi_realloc" (core func $realloc))
  (alias core export $guest "echo" (core func $echo))
  (alias core export $guest "forget" (core func $forget))
  (func $lifted (param "text" string) (result string)
    (canon lift (core func $echo) (memory $memory) (realloc $realloc) (post-return $forget) string-encoding=utf8))

  (instance $text (export "echo" (func $lifted)))
  (export "tidemill:bench/text@1.0.0" (instance $text)))
