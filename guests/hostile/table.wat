;; table: a command that lets a table grow, 1,000 elements at a time, until it is refused more; then it traps.
;; The host has to refuse at the version's limit and to report that the table is too large, not the trap that follows.
(module
  (memory (export "memory") 1)
  (table 1 funcref)

  (func (export "_start")
    (loop $again
      (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
    (unreachable)))
