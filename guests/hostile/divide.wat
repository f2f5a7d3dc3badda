;; divide: a command that divides an integer by zero.
;; On many processors that is a signal: the host has to turn it into a trap of this one guest.
(module
  (memory (export "memory") 1)

  (func (export "_start")
    ;; Fresh memory is zero; loading the divisor keeps a compiler from seeing that.
    (drop (i32.div_s (i32.const 1) (i32.load (i32.const 0))))))
