;; forever-grow: a command that takes memory, 1 MiB at a time, writing to every page of it, until it is refused more;
;; then it spins.
;; The host has to refuse at the version's limit and to stop it at the deadline with its memory still in use.
(module
  (memory (export "memory") 1)

  (func (export "_start") (local $page i32) (local $until i32)
    (block $refused
      (loop $again
        (local.set $page (memory.grow (i32.const 16)))
        (br_if $refused (i32.eq (local.get $page) (i32.const -1)))
        (local.set $until (i32.add (local.get $page) (i32.const 16)))
        (loop $touch
          (i32.store8 (i32.shl (local.get $page) (i32.const 16)) (i32.const 1))
          (local.set $page (i32.add (local.get $page) (i32.const 1)))
          (br_if $touch (i32.lt_u (local.get $page) (local.get $until))))
        (br $again)))
    (loop $spin
      (br $spin))))
