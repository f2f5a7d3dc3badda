"""What schemathesis cannot know by itself: what a module looks like, and that a refusal has a code of those told."""

import os

import schemathesis
from hypothesis import strategies as st

# Modules that can be deployed, and bytes that cannot.
MODULES = [open(path, "rb").read() for path in os.environ["TIDEMILL_TEST_MODULES"].split(":")]
schemathesis.openapi.media_type("application/wasm", st.sampled_from(MODULES) | st.binary(max_size=64))


@schemathesis.check
def the_code_of_a_refusal_is_one_that_the_document_tells(ctx, response, case):
    """A problem's `code` stands in `x-codes` of the operation's answer with that status."""
    if response.headers.get("content-type") != ["application/problem+json"] or not response.content:
        return  # it is none, or the head of one
    problem = response.json()
    if problem["code"] in ("method_not_allowed", "no_such_path"):
        return  # they are of requests that no operation describes
    answers = case.operation.definition.raw["responses"]
    codes = answers.get(str(response.status_code), {}).get("x-codes", [])
    assert problem["code"] in codes, f"{response.status_code} `{problem['code']}` is not told: {problem['detail']}"
