;; sleep: a command that sleeps for as many milliseconds as its payload says in decimal digits, and then ends well.
;; It does no harm beyond holding its slot; it is here because what waits costs no processor, unlike `spin`.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param $fd i32) (param $list i32) (param $count i32) (param $read i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param $in i32) (param $out i32) (param $count i32) (param $events i32) (result i32)))

  ;; 0 the list of buffers, 8 how much was read, 16 the payload's 16 bytes, 32 one event's 32, 64 a subscription's 48:
  ;; of those, 8 is the kind (0: a clock), 16 which clock (1: the monotonic one), 24 the nanoseconds from now.
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00" "\10\00\00\00")
  (data (i32.const 80) "\01")

  (func $milliseconds (result i64) (local $at i32) (local $end i32) (local $sum i64)
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
      (then (unreachable)))
    (local.set $at (i32.const 16))
    (local.set $end (i32.add (i32.const 16) (i32.load (i32.const 8))))
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (br_if $done (i32.gt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)) (i32.const 9)))
        (local.set $sum
          (i64.add
            (i64.mul (local.get $sum) (i64.const 10))
            (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $again)))
    (local.get $sum))

  (func (export "_start")
    (i64.store (i32.const 88) (i64.mul (call $milliseconds) (i64.const 1000000)))
    (if (call $poll_oneoff (i32.const 64) (i32.const 32) (i32.const 1) (i32.const 8))
      (then (unreachable)))))
