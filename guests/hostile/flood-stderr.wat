;; flood-stderr: a command that writes 1 GiB to stderr, 64 KiB at a time, and then ends well.
;; It takes no notice of errors: the host has to keep its own memory bounded whatever comes,
;; and to cut the log without failing the guest.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param $fd i32) (param $list i32) (param $count i32) (param $written i32) (result i32)))

  ;; The first page holds the list of buffers, the second is the one buffer: letters and a line end.
  (memory (export "memory") 2)
  (data (i32.const 0) "\00\00\01\00" "\00\00\01\00")

  (func (export "_start") (local $left i32)
    (memory.fill (i32.const 0x10000) (i32.const 0x78) (i32.const 0xffff))
    (i32.store8 (i32.const 0x1ffff) (i32.const 0x0a))
    (local.set $left (i32.const 16384))
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))))
