"""Holds our server's events against the service's own SDK (PyPI `openai`).

    cargo nextest run -p realtime-wire        # writes server-events.jsonl
    python3 crates/realtime-wire/tests/conformance.py TARGET/tmp/server-events.jsonl

Each event must validate, must be read as the type it says it is, and must hold no field
that the SDK does not know, except the few that the service is known to send.
Needs `pip install openai==3.54.0`.
"""

import json
import sys

import pydantic
from openai.types.realtime import RealtimeServerEvent

# Sent by the service, and read by clients, but not among the SDK's fields.
KNOWN_EXTRAS = {
    "session.id",
    "session.object",
    "session.expires_at",
}


def extras(model, path=""):
    """Paths of the fields that the SDK's models do not name."""
    found = []
    if isinstance(model, pydantic.BaseModel):
        for name in model.model_extra or {}:
            found.append(f"{path}.{name}".lstrip("."))
        for name in type(model).model_fields:
            found += extras(getattr(model, name, None), f"{path}.{name}")
    elif isinstance(model, list):
        for item in model:
            found += extras(item, f"{path}[]")
    return found


def main(path):
    reader = pydantic.TypeAdapter(RealtimeServerEvent)
    problems = []
    kinds = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            kind = event["type"]
            kinds.add(kind)
            try:
                read = reader.validate_python(event)
            except pydantic.ValidationError as error:
                problems.append(f"{kind}: {error}")
                continue
            if read.type != kind:
                problems.append(f"{kind}: read as {read.type}")
            for extra in extras(read):
                if extra not in KNOWN_EXTRAS:
                    problems.append(f"{kind}: unknown field {extra}")
    for problem in problems:
        print(problem)
    print(f"{len(kinds)} kinds of event, {len(problems)} problems")
    return 1 if problems or not kinds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
