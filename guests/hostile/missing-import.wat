;; missing-import: a command that wants a function nobody provides.
;; It has to be refused when it is deployed, by the name of the import.
(module
  (import "env" "does_not_exist" (func $does_not_exist))
  (memory (export "memory") 1)
  (func (export "_start")
    (call $does_not_exist)))
