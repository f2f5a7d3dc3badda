;; exit: a command that ends with the exit code that its first argument says, in decimal; 0 without one.
;; Anything else in the argument ends the number: `7x` is 7, `x` is 0.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param $count i32) (param $bytes i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get"
    (func $args_get (param $pointers i32) (param $bytes i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param $code i32)))

  ;; 0: the number of arguments; 4: how many bytes they have; 0x1000: pointers to them; 0x10000: the bytes.
  (memory (export "memory") 2)

  (func $argument_count (result i32)
    (if (call $args_sizes_get (i32.const 0) (i32.const 4)) (then (unreachable)))
    (i32.load (i32.const 0)))

  ;; A pointer to the text of the first argument after the program's name; it ends with a zero byte.
  (func $first_argument (result i32)
    (if (call $args_get (i32.const 0x1000) (i32.const 0x10000)) (then (unreachable)))
    (i32.load (i32.const 0x1004)))

  (func $number (param $text i32) (result i32) (local $digit i32) (local $sum i32)
    (block $end
      (loop $next
        (local.set $digit (i32.sub (i32.load8_u (local.get $text)) (i32.const 0x30)))
        (br_if $end (i32.gt_u (local.get $digit) (i32.const 9)))
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 10)) (local.get $digit)))
        (local.set $text (i32.add (local.get $text) (i32.const 1)))
        (br $next)))
    (local.get $sum))

  (func (export "_start")
    (if (i32.lt_u (call $argument_count) (i32.const 2))
      (then (call $proc_exit (i32.const 0))))
    (call $proc_exit (call $number (call $first_argument)))))
