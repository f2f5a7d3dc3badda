// Answers with the payload in upper case (ASCII letters only; all other bytes stay as they are).
//
// Two payloads show how a handler says that it failed: `fail` is worth another attempt, `refuse` never will be.
//
// function.c, function.h and function_component_type.o are generated from wit/function.wit and not edited; the README of
// the guests says how to make them anew.

#include "function.h"

#include <stdlib.h>
#include <string.h>

static bool is(const function_list_u8_t *payload, const char *word) {
  return payload->len == strlen(word) && memcmp(payload->ptr, word, payload->len) == 0;
}

static bool fail(exports_tidemill_function_handler_failure_t *failure, uint8_t kind, const char *message) {
  failure->tag = kind;
  // Retryable and permanent both hold a string, at the same place.
  function_string_dup(&failure->val.retryable, message);
  return false;
}

static void upper(function_list_u8_t *bytes) {
  for (size_t i = 0; i < bytes->len; i++) {
    const uint8_t byte = bytes->ptr[i];
    if (byte >= 'a' && byte <= 'z') bytes->ptr[i] = byte - 'a' + 'A';
  }
}

// The bytes move out of the event, which is left without a payload to free.
static function_list_u8_t take(function_list_u8_t *payload) {
  const function_list_u8_t taken = *payload;
  payload->ptr = NULL;
  payload->len = 0;
  return taken;
}

bool exports_tidemill_function_handler_handle(
    exports_tidemill_function_handler_event_t *event,
    function_list_u8_t *result,
    exports_tidemill_function_handler_failure_t *failure) {
  bool done = true;
  if (is(&event->payload, "fail")) {
    done = fail(failure, TIDEMILL_FUNCTION_TYPES_FAILURE_RETRYABLE, "told to fail");
  } else if (is(&event->payload, "refuse")) {
    done = fail(failure, TIDEMILL_FUNCTION_TYPES_FAILURE_PERMANENT, "told to refuse");
  } else {
    *result = take(&event->payload);
    upper(result);
  }
  exports_tidemill_function_handler_event_free(event);
  return done;
}
