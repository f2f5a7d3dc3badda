// As much JSON as handler.c needs: an object is checked as a whole, then its fields are found by name. For more take a
// library; any that is plain C will do.

#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A part of a text: from `at` up to `end`.
typedef struct {
  const char *at;
  const char *end;
} json_t;

// Whether `text` is one JSON object and nothing else. Values may be nested 64 deep.
bool json_is_object(json_t text);

// Finds the value of the first field called `name` in an object that has been checked. Names with escapes are not found.
bool json_field(json_t object, const char *name, json_t *value);

// The text of a string without its escapes, to be freed by the caller; NULL if the value is none.
char *json_string(json_t value, size_t *length);

// Reads a whole number from 0 to 4294967295.
bool json_u32(json_t value, uint32_t *number);

// How long a text is as a JSON string, with its quotes; `to` gets it unless it is NULL.
size_t json_quote(const char *text, size_t length, char *to);

#endif
