// fresh-function: greets by name. `{"name": "Ada"}` is answered with `{"greeting": "hello, Ada", "attempt": 1}`.
//
// What goes in and how to fail is in wit/function.wit. A failure is thrown. An Error that nothing catches is a trap, which
// is tried again as well.

export const handler = {
  handle(event) {
    const { name, busy_attempts = 0 } = readRequest(event.payload);
    if (event.attempt <= busy_attempts) {
      throw retryable('busy: it may work another time');
    }
    return toUtf8(JSON.stringify({ greeting: `hello, ${name}`, attempt: event.attempt }));
  },
};

// It makes no sense, however often it is tried: no further attempt.
const permanent = (message) => ({ tag: 'permanent', val: message });

// It may work another time, as when a service does not answer: tried again, with growing pauses.
const retryable = (message) => ({ tag: 'retryable', val: message });

function readRequest(payload) {
  const request = parse(payload);
  if (typeof request?.name !== 'string') {
    throw permanent('the payload has no text called `name`');
  }
  // Stands for something that is needed and not there: the first so many attempts fail.
  if (request.busy_attempts !== undefined && !Number.isInteger(request.busy_attempts)) {
    throw permanent('`busy_attempts` is not a number of attempts');
  }
  return request;
}

function parse(payload) {
  try {
    return JSON.parse(fromUtf8(payload));
  } catch (error) {
    throw permanent(`the payload is not JSON: ${error.message}`);
  }
}

// There is no TextDecoder and no TextEncoder here, but URI coding is UTF-8 too.
function fromUtf8(bytes) {
  const escaped = Array.from(bytes, (byte) => '%' + byte.toString(16).padStart(2, '0'));
  return decodeURIComponent(escaped.join(''));
}

function toUtf8(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
}
