;; shop: functions with types of their own, written by hand, for calls with JSON: the whole of `tidemill:shop/counter@1.2.0`.
;;
;; | function | what it does |
;; | --- | --- |
;; | `total: func(order: order) -> u64` | adds up quantities times prices |
;; | `wrap: func(bytes: list<u8>) -> result<list<u8>, string>` | puts bytes between brackets; there have to be some |
;; | `ship: func(way: way) -> way` | answers with the way that it is told |
;;
;; Memory below 1024 is for results and the text of the error. Above it everything that the host passes in is laid end to
;; end, and grows as far as it may.
(component
  (core module $guest
    (memory (export "memory") 1)
    (data (i32.const 512) "nothing to wrap")

    (global $top (mut i32) (i32.const 1024))

    (func $allocate (param $align i32) (param $length i32) (result i32) (local $start i32) (local $missing i32)
      (local.set $start
        (i32.and
          (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $start) (local.get $length)))
      (local.set $missing
        (i32.sub
          (i32.shr_u (i32.add (global.get $top) (i32.const 0xffff)) (i32.const 16))
          (memory.size)))
      (if (i32.gt_s (local.get $missing) (i32.const 0))
        (then
          (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1))
            (then (unreachable)))))
      (local.get $start))

    (func (export "cabi_realloc")
      (param $old i32) (param $old_length i32) (param $align i32) (param $length i32) (result i32)
      (call $allocate (local.get $align) (local.get $length)))

    ;; An item is 24 bytes: the name at 0 and 4, the quantity at 8, the price at 16.
    (func (export "total")
      (param $customer i32) (param $customer_length i32) (param $item i32) (param $items i32) (result i64)
      (local $total i64)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $items)))
          (local.set $total
            (i64.add
              (local.get $total)
              (i64.mul
                (i64.extend_i32_u (i32.load offset=8 (local.get $item)))
                (i64.load offset=16 (local.get $item)))))
          (local.set $item (i32.add (local.get $item) (i32.const 24)))
          (local.set $items (i32.sub (local.get $items) (i32.const 1)))
          (br $next)))
      (local.get $total))

    ;; A result is 12 bytes: 0 is it an error, 4 pointer, 8 length.
    (func (export "wrap") (param $bytes i32) (param $length i32) (result i32) (local $wrapped i32)
      (if (i32.eqz (local.get $length))
        (then
          (i32.store8 (i32.const 0) (i32.const 1))
          (i32.store (i32.const 4) (i32.const 512))
          (i32.store (i32.const 8) (i32.const 15))
          (return (i32.const 0))))
      (local.set $wrapped (call $allocate (i32.const 1) (i32.add (local.get $length) (i32.const 2))))
      (i32.store8 (local.get $wrapped) (i32.const 91))
      (memory.copy (i32.add (local.get $wrapped) (i32.const 1)) (local.get $bytes) (local.get $length))
      (i32.store8 (i32.add (i32.add (local.get $wrapped) (local.get $length)) (i32.const 1)) (i32.const 93))
      (i32.store8 (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $wrapped))
      (i32.store (i32.const 8) (i32.add (local.get $length) (i32.const 2)))
      (i32.const 0))

    ;; A way is 40 bytes: 0 by which case and 4 to 14 what that holds, 16 is it insured and 24 for what, 32 the marks.
    (func (export "ship")
      (param $by i32) (param $first i32) (param $second i32) (param $third i32)
      (param $is_insured i32) (param $insured f64) (param $marks i32) (result i32)
      (i32.store8 (i32.const 0) (local.get $by))
      (i32.store (i32.const 4) (local.get $first))
      (i32.store (i32.const 8) (local.get $second))
      (i32.store16 (i32.const 12) (local.get $third))
      (i32.store8 (i32.const 16) (local.get $is_insured))
      (f64.store (i32.const 24) (local.get $insured))
      (i32.store8 (i32.const 32) (local.get $marks))
      (i32.const 0)))

  (core instance $guest (instantiate $guest))

  (type $item (record (field "name" string) (field "quantity" u32) (field "unit-price" u64)))
  (type $order (record (field "customer" string) (field "items" (list $item))))
  (type $round (enum "day" "night"))
  (type $by (variant (case "pick-up") (case "post" (tuple string u16)) (case "courier" $round)))
  (type $marks (flags "fragile" "heavy"))
  (type $way (record (field "by" $by) (field "insured" (option f64)) (field "marks" $marks)))

  (func $total (param "order" $order) (result u64)
    (canon lift (core func $guest "total")
      (memory (core memory $guest "memory")) (realloc (core func $guest "cabi_realloc"))))
  (func $wrap (param "bytes" (list u8)) (result (result (list u8) (error string)))
    (canon lift (core func $guest "wrap")
      (memory (core memory $guest "memory")) (realloc (core func $guest "cabi_realloc"))))
  (func $ship (param "way" $way) (result $way)
    (canon lift (core func $guest "ship")
      (memory (core memory $guest "memory")) (realloc (core func $guest "cabi_realloc"))))

  (instance $counter
    (export "item" (type $item))
    (export "order" (type $order))
    (export "round" (type $round))
    (export "by" (type $by))
    (export "marks" (type $marks))
    (export "way" (type $way))
    (export "total" (func $total))
    (export "wrap" (func $wrap))
    (export "ship" (func $ship)))
  (export "tidemill:shop/counter@1.2.0" (instance $counter)))
