;; abort: a command that asks the host to end its own process, by an import that only a test's host provides.
;; It stands for the fault that no sandbox stops: what was accepted has to survive it, and a restart must not run
;; the same guest for ever.
(module
  (import "tidemill-fault" "abort" (func $abort))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $abort)))
