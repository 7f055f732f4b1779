"""What schemathesis cannot know of the API from its document.

The document describes three ways to POST /notifications at once: in binary mode
the `ce-` headers decide what the body is, which no schema can say. So each run
has one of them: FUZZ_MODE is `json` (both forms with a JSON body), or `binary`.
"""

import itertools
import os
import re

import schemathesis

MODE = os.environ["FUZZ_MODE"]
BINARY = MODE == "binary"
REQUIRED_IN_BINARY_MODE = {"ce-specversion", "ce-id", "ce-source", "ce-type"}
KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
numbers = itertools.count()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    publish = raw_schema["paths"]["/notifications"]["post"]
    if BINARY:
        raw_schema["paths"] = {"/notifications": {"post": publish}}
        for parameter in raw_schema["components"]["parameters"].values():
            if parameter["name"] in REQUIRED_IN_BINARY_MODE:
                parameter["required"] = True
        publish["requestBody"]["content"] = {
            "application/json": {"schema": {}, "example": {"price": 287.4}},
            "text/plain": {"schema": {"type": "string"}, "example": "AAPL 287.40"},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }
    else:
        publish["parameters"] = [
            parameter for parameter in publish["parameters"] if "ce-" not in parameter["$ref"]
        ]
        publish["requestBody"]["required"] = True
        del publish["requestBody"]["content"]["*/*"]
    # What is wrong with an item of a batch is told in its result, not by the
    # status of the whole.
    items = raw_schema["components"]["schemas"]["Batch"]["properties"]["notifications"]
    items["items"] = {"anyOf": [items["items"], {}]}


@schemathesis.hook
def before_call(context, case, kwargs):
    # The same key with another request is refused, as it should be, and keys
    # are generated more than once.
    for name, key in (case.headers or {}).items():
        if name.lower() == "idempotency-key" and isinstance(key, str) and KEY.fullmatch(key):
            case.headers[name] = f"{key[:200]}-{MODE}-{next(numbers)}"
