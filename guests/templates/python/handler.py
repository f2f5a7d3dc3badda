"""fresh-function: greets by name. `{"name": "Ada"}` is answered with `{"greeting": "hello, Ada", "attempt": 1}`.

What goes in and how to fail is in wit/function.wit. A failure is raised. An exception that nothing catches is a trap, which
is tried again as well.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Event, Failure_Permanent, Failure_Retryable


class Handler(exports.Handler):
    def handle(self, event: Event) -> bytes:
        name, busy_attempts = read_request(event.payload)
        if event.attempt <= busy_attempts:
            # It may work another time, as when a service does not answer: tried again, with growing pauses.
            raise Err(Failure_Retryable("busy: it may work another time"))
        return json.dumps({"greeting": f"hello, {name}", "attempt": event.attempt}, ensure_ascii=False).encode()


def read_request(payload: bytes) -> tuple[str, int]:
    try:
        request = json.loads(payload)
    except ValueError as error:
        raise permanent(f"the payload is not JSON: {error}")
    if not isinstance(request, dict) or not isinstance(request.get("name"), str):
        raise permanent("the payload has no text called `name`")
    # Stands for something that is needed and not there: the first so many attempts fail.
    busy_attempts = request.get("busy_attempts", 0)
    if not isinstance(busy_attempts, int):
        raise permanent("`busy_attempts` is not a number of attempts")
    return request["name"], busy_attempts


def permanent(message: str) -> Err:
    """It makes no sense, however often it is tried: no further attempt."""
    return Err(Failure_Permanent(message))
