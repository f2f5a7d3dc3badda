;; handler: what stands around a core module that exports `tidemill:function/handler@1.0.0`, so that together they are a
;; component. The core module comes first in a component; all the rest is the same for every handler. So a build needs
;; no tool for components: c/component puts the module between the first bytes of any component and c/handler.tail,
;; which is this text, assembled, behind its core module. A test says when it is not.
;;
;; It fits core modules that import nothing and export what clang makes of the bindings in c/bindings, as a reactor.
(component
  ;; Stands for the module: the names and types by which the rest takes what it needs.
  (core module $guest
    (memory (export "memory") 0)
    (func (export "_initialize"))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
    (func (export "tidemill:function/handler@1.0.0#handle") (param i32) (result i32) (unreachable))
    (func (export "cabi_post_tidemill:function/handler@1.0.0#handle") (param i32)))

  (core instance $guest (instantiate $guest))

  ;; Runs the constructors, as the start of a module of its own: a component can run nothing else when it is made.
  (core module $start
    (import "guest" "_initialize" (func $initialize))
    (start $initialize))
  (core instance (instantiate $start (with "guest" (instance $guest))))

  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "cabi_realloc" (core func $realloc))
  (alias core export $guest "tidemill:function/handler@1.0.0#handle" (core func $handle))
  (alias core export $guest "cabi_post_tidemill:function/handler@1.0.0#handle" (core func $forget))

  ;; The types come from the package's interface `types`: an import of names alone, which no host has to provide.
  (import "tidemill:function/types@1.0.0" (instance $types
    (type $event' (record
      (field "id" string)
      (field "function" string)
      (field "version" u32)
      (field "attempt" u32)
      (field "content-type" string)
      (field "accepted-ms" u64)
      (field "deadline-ms" u64)
      (field "chain" (list string))
      (field "hop" u32)
      (field "traceparent" (option string))
      (field "attributes" (list (tuple string string)))
      (field "payload" (list u8))))
    (export "event" (type (eq $event')))
    (type $throttle' (record (field "message" string) (field "delay-ms" u64)))
    (export "throttle" (type $throttle (eq $throttle')))
    (type $failure' (variant
      (case "retryable" string)
      (case "permanent" string)
      (case "throttled" $throttle)))
    (export "failure" (type (eq $failure')))))
  (alias export $types "event" (type $event))
  (alias export $types "throttle" (type $throttle))
  (alias export $types "failure" (type $failure))

  (type $handle-type (func (param "event" $event) (result (result (list u8) (error $failure)))))
  (func $lifted (type $handle-type)
    (canon lift (core func $handle) (memory $memory) (realloc $realloc) (post-return $forget) string-encoding=utf8))

  ;; An interface that is exported has type names of its own; a component in between is what gives them.
  (component $interface
    (type $event' (record
      (field "id" string)
      (field "function" string)
      (field "version" u32)
      (field "attempt" u32)
      (field "content-type" string)
      (field "accepted-ms" u64)
      (field "deadline-ms" u64)
      (field "chain" (list string))
      (field "hop" u32)
      (field "traceparent" (option string))
      (field "attributes" (list (tuple string string)))
      (field "payload" (list u8))))
    (import "event-type" (type $event (eq $event')))
    (type $throttle' (record (field "message" string) (field "delay-ms" u64)))
    (import "throttle-type" (type $throttle (eq $throttle')))
    (type $failure' (variant
      (case "retryable" string)
      (case "permanent" string)
      (case "throttled" $throttle)))
    (import "failure-type" (type $failure (eq $failure')))
    (import "handle-function" (func $handle
      (param "event" $event) (result (result (list u8) (error $failure)))))

    (export $event-name "event" (type $event))
    (export $failure-name "failure" (type $failure))
    (export "handle" (func $handle)
      (func (param "event" $event-name) (result (result (list u8) (error $failure-name))))))

  (instance $handler (instantiate $interface
    (with "event-type" (type $event))
    (with "throttle-type" (type $throttle))
    (with "failure-type" (type $failure))
    (with "handle-function" (func $lifted))))
  (export "tidemill:function/handler@1.0.0" (instance $handler)))
