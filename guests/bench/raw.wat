;; raw: a core module that answers with its payload, and the cheapest way to do so: the payload lies where `alloc` said,
;; and the result is the same bytes. It imports nothing, so what a run of it costs is what the runtime costs.
(module
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 1024))

  (func (export "alloc") (param $length i32) (result i32) (local $start i32) (local $missing i32)
    (local.set $start (global.get $top))
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

  ;; Bytes at a pointer in, the same packed as `pointer << 32 | length` out.
  (func (export "echo") (param $pointer i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
      (i64.extend_i32_u (local.get $length)))))
