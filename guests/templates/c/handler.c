// fresh-function: greets by name. `{"name": "Ada"}` is answered with `{"greeting": "hello, Ada", "attempt": 1}`.
//
// What goes in and how to fail is in wit/function.wit; bindings/ is the same in C, generated and not edited.

#include <stdlib.h>
#include <string.h>

#include "bindings/function.h"
#include "json.h"

typedef exports_tidemill_function_handler_event_t event_t;
typedef exports_tidemill_function_handler_failure_t failure_t;

// It makes no sense, however often it is tried: no further attempt.
static bool permanent(failure_t *failure, const char *message) {
  failure->tag = TIDEMILL_FUNCTION_TYPES_FAILURE_PERMANENT;
  function_string_dup(&failure->val.permanent, message);
  return false;
}

// It may work another time, as when a service does not answer: tried again, with growing pauses.
static bool retryable(failure_t *failure, const char *message) {
  failure->tag = TIDEMILL_FUNCTION_TYPES_FAILURE_RETRYABLE;
  function_string_dup(&failure->val.retryable, message);
  return false;
}

static void append(function_list_u8_t *result, const char *text) {
  const size_t length = strlen(text);
  memcpy(result->ptr + result->len, text, length);
  result->len += length;
}

static void append_number(function_list_u8_t *result, uint32_t number) {
  if (number >= 10) append_number(result, number / 10);
  result->ptr[result->len++] = (uint8_t)('0' + number % 10);
}

static void answer(function_list_u8_t *result, char *name, size_t length, uint32_t attempt) {
  static const char hello[] = "hello, ";
  const size_t greeted = sizeof hello - 1 + length;
  char *greeting = malloc(greeted);
  result->ptr = malloc(6 * greeted + 64);
  if (!greeting || !result->ptr) abort();
  memcpy(greeting, hello, sizeof hello - 1);
  memcpy(greeting + sizeof hello - 1, name, length);

  result->len = 0;
  append(result, "{\"greeting\":");
  result->len += json_quote(greeting, greeted, (char *)result->ptr + result->len);
  append(result, ",\"attempt\":");
  append_number(result, attempt);
  append(result, "}");
  free(greeting);
}

// True with a result, or false with a failure.
static bool greet(const event_t *event, function_list_u8_t *result, failure_t *failure) {
  const char *start = (const char *)event->payload.ptr;
  const json_t payload = {start, start + event->payload.len};
  json_t field;
  if (!json_is_object(payload)) return permanent(failure, "the payload is not a JSON object");

  // Stands for something that is needed and not there: the first so many attempts fail.
  uint32_t busy_attempts = 0;
  if (json_field(payload, "busy_attempts", &field) && !json_u32(field, &busy_attempts)) {
    return permanent(failure, "`busy_attempts` is not a number of attempts");
  }
  size_t length;
  char *name = json_field(payload, "name", &field) ? json_string(field, &length) : NULL;
  if (!name) return permanent(failure, "the payload has no text called `name`");
  const bool busy = event->attempt <= busy_attempts;
  if (!busy) answer(result, name, length, event->attempt);
  free(name);
  return !busy || retryable(failure, "busy: it may work another time");
}

bool exports_tidemill_function_handler_handle(event_t *event, function_list_u8_t *result, failure_t *failure) {
  const bool done = greet(event, result, failure);
  exports_tidemill_function_handler_event_free(event);
  return done;
}
