;; trap: a command that does nothing but trap, by `unreachable`.
;; The host has to report a trap, name it, and go on.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (unreachable)))
