// The start of a command for wasm32-wasip2.
//
// The crt1-command.o of Debian's wasi-libc calls no constructors itself, so the linker wraps them around every export,
// cabi_realloc included. The host calls cabi_realloc in the middle of its own calls, where leaving the component is
// not allowed, and the first preopened directory would end the run. A _start that calls the constructors keeps the
// linker from it.
void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
int __main_void(void);
_Noreturn void __wasi_proc_exit(int code);

__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  const int code = __main_void();
  __wasm_call_dtors();
  if (code != 0) __wasi_proc_exit(code);
}
