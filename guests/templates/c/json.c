#include "json.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST 64

static bool value(json_t *text, int depth);

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool next_is(const json_t *text, char c) { return text->at < text->end && *text->at == c; }

static bool take(json_t *text, char c) {
  if (!next_is(text, c)) return false;
  text->at++;
  return true;
}

static void space(json_t *text) {
  while (text->at < text->end && memchr(" \t\r\n", *text->at, 4)) text->at++;
}

static bool word(json_t *text, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(text->end - text->at) < length || memcmp(text->at, word, length) != 0) return false;
  text->at += length;
  return true;
}

static bool digits(json_t *text) {
  const char *start = text->at;
  while (text->at < text->end && is_digit(*text->at)) text->at++;
  return text->at > start;
}

static bool number(json_t *text) {
  take(text, '-');
  if (!take(text, '0') && !digits(text)) return false;
  if (take(text, '.') && !digits(text)) return false;
  if (take(text, 'e') || take(text, 'E')) {
    if (!take(text, '+')) take(text, '-');
    return digits(text);
  }
  return true;
}

// The value of four hexadecimal digits, or -1.
static int32_t hex4(const char *at, const char *end) {
  if (end - at < 4) return -1;
  int32_t code = 0;
  for (int i = 0; i < 4; i++) {
    const char c = at[i];
    if (is_digit(c)) code = code * 16 + (c - '0');
    else if ((c | 32) >= 'a' && (c | 32) <= 'f') code = code * 16 + ((c | 32) - 'a' + 10);
    else return -1;
  }
  return code;
}

static bool string(json_t *text) {
  if (!take(text, '"')) return false;
  while (text->at < text->end) {
    const unsigned char c = (unsigned char)*text->at++;
    if (c == '"') return true;
    if (c < ' ') return false;
    if (c != '\\') continue;
    if (text->at == text->end) return false;
    const char escape = *text->at++;
    if (escape == 'u') {
      if (hex4(text->at, text->end) < 0) return false;
      text->at += 4;
    } else if (!memchr("\"\\/bfnrt", escape, 8)) {
      return false;
    }
  }
  return false;
}

static bool field(json_t *text, int depth) {
  space(text);
  if (!string(text)) return false;
  space(text);
  return take(text, ':') && value(text, depth);
}

// What stands between `open` and `close`, with commas.
static bool list(json_t *text, char close, bool (*item)(json_t *, int), int depth) {
  text->at++;
  space(text);
  if (take(text, close)) return true;
  do {
    if (!item(text, depth + 1)) return false;
    space(text);
  } while (take(text, ','));
  return take(text, close);
}

static bool value(json_t *text, int depth) {
  if (depth > DEEPEST) return false;
  space(text);
  if (next_is(text, '{')) return list(text, '}', field, depth);
  if (next_is(text, '[')) return list(text, ']', value, depth);
  if (next_is(text, '"')) return string(text);
  return word(text, "true") || word(text, "false") || word(text, "null") || number(text);
}

bool json_is_object(json_t text) {
  space(&text);
  if (!next_is(&text, '{') || !value(&text, 0)) return false;
  space(&text);
  return text.at == text.end;
}

bool json_field(json_t object, const char *name, json_t *found) {
  const size_t length = strlen(name);
  space(&object);
  take(&object, '{');
  do {
    space(&object);
    const char *key = object.at;
    if (!string(&object)) return false;
    const bool is_it = (size_t)(object.at - key) == length + 2 && memcmp(key + 1, name, length) == 0;
    space(&object);
    take(&object, ':');
    space(&object);
    found->at = object.at;
    if (!value(&object, 1)) return false;
    found->end = object.at;
    if (is_it) return true;
    space(&object);
  } while (take(&object, ','));
  return false;
}

static char *utf8(uint32_t code, char *to) {
  if (code < 0x80) {
    *to++ = (char)code;
  } else if (code < 0x800) {
    *to++ = (char)(0xc0 | code >> 6);
    *to++ = (char)(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *to++ = (char)(0xe0 | code >> 12);
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    *to++ = (char)(0x80 | (code & 0x3f));
  } else {
    *to++ = (char)(0xf0 | code >> 18);
    *to++ = (char)(0x80 | (code >> 12 & 0x3f));
    *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    *to++ = (char)(0x80 | (code & 0x3f));
  }
  return to;
}

// The code point of what follows `\u`, which may be two halves; half a pair becomes the replacement character.
static uint32_t code_point(const char **at, const char *end) {
  const uint32_t first = (uint32_t)hex4(*at, end);
  *at += 4;
  if (first < 0xd800 || first > 0xdfff) return first;
  if (first > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return 0xfffd;
  const uint32_t second = (uint32_t)hex4(*at + 2, end);
  if (second < 0xdc00 || second > 0xdfff) return 0xfffd;
  *at += 6;
  return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

static char unescaped(char escape) {
  switch (escape) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return escape;
  }
}

char *json_string(json_t value, size_t *length) {
  if (!next_is(&value, '"')) return NULL;
  // It never gets longer: the shortest escape of a code point has more bytes than its UTF-8.
  char *start = malloc((size_t)(value.end - value.at)), *to = start;
  if (!start) abort();
  for (const char *at = value.at + 1; at < value.end - 1;) {
    if (*at != '\\') {
      *to++ = *at++;
    } else if (at[1] == 'u') {
      at += 2;
      to = utf8(code_point(&at, value.end), to);
    } else {
      *to++ = unescaped(at[1]);
      at += 2;
    }
  }
  *length = (size_t)(to - start);
  return start;
}

bool json_u32(json_t value, uint32_t *number) {
  uint64_t sum = 0;
  if (value.at == value.end) return false;
  for (; value.at < value.end; value.at++) {
    if (!is_digit(*value.at)) return false;
    sum = sum * 10 + (uint64_t)(*value.at - '0');
    if (sum > UINT32_MAX) return false;
  }
  *number = (uint32_t)sum;
  return true;
}

size_t json_quote(const char *text, size_t length, char *to) {
  static const char hex[] = "0123456789abcdef";
  size_t written = 0;
#define PUT(c) (to ? (void)(to[written] = (c)) : (void)0, written++)
  PUT('"');
  for (size_t i = 0; i < length; i++) {
    const unsigned char c = (unsigned char)text[i];
    if (c < ' ') {
      PUT('\\'), PUT('u'), PUT('0'), PUT('0'), PUT(hex[c >> 4]), PUT(hex[c & 15]);
    } else {
      if (c == '"' || c == '\\') PUT('\\');
      PUT((char)c);
    }
  }
  PUT('"');
#undef PUT
  return written;
}
