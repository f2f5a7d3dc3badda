;; no-entrypoint: a valid module with nothing in it that could be called.
;; It has to be refused when it is deployed, with a list of the exports that are looked for.
(module
  (memory (export "memory") 1)
  (global (export "answer") i32 (i32.const 42)))
