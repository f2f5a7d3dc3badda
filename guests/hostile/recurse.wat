;; recurse: a command that calls itself without end.
;; The host has to stop it when its stack is used up, without losing its own.
(module
  (memory (export "memory") 1)

  ;; Something is left to do after the call, so it cannot become a jump.
  (func $deeper (param $depth i32) (result i32)
    (i32.add
      (call $deeper (i32.add (local.get $depth) (i32.const 1)))
      (local.get $depth)))

  (func (export "_start")
    (drop (call $deeper (i32.const 0)))))
