;; spin: a command that never ends and never calls the host.
;; The host has to stop it at the deadline.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (br $again))))
