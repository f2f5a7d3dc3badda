// Answers `{"name": "Ada"}` with `{"greeting": "hello, Ada"}`. A payload that is not such an object is a permanent failure.
//
// A handler says that it failed by throwing the case of `failure` it means. Anything else that is thrown is a trap, and the
// runtime tries again.

export const handler = {
  handle(event) {
    const { name } = readRequest(event.payload);
    return toUtf8(JSON.stringify({ greeting: `hello, ${name}` }));
  },
};

function readRequest(payload) {
  const request = parse(payload);
  if (typeof request?.name !== 'string') {
    throw permanent('the payload has no text called `name`');
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

const permanent = (message) => ({ tag: 'permanent', val: message });

// There is no TextEncoder and no TextDecoder here; URI coding is UTF-8 too.
function fromUtf8(bytes) {
  const escaped = Array.from(bytes, (byte) => '%' + byte.toString(16).padStart(2, '0'));
  return decodeURIComponent(escaped.join(''));
}

function toUtf8(text) {
  const bytes = unescape(encodeURIComponent(text));
  return Uint8Array.from(bytes, (character) => character.charCodeAt(0));
}
