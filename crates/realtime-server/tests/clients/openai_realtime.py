"""The service's own Python client against our server, as its documentation uses it.

Every frame is checked against the client's types: it does not do so itself.
The server's ears and voice follow the script of tests/clients/main.rs.
"""

import asyncio
import base64
import json
import sys

from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

EVENT = TypeAdapter(RealtimeServerEvent)
AGENT = {
    "type": "function",
    "name": "background_agent",
    "description": "Hands a request to the agent.",
    "parameters": {
        "type": "object",
        "properties": {"prompt": {"type": "string"}},
        "required": ["prompt"],
    },
}


class Session:
    def __init__(self, connection):
        self.connection = connection
        self.log = []

    async def next(self):
        raw = await asyncio.wait_for(self.connection.recv_bytes(), 30)
        # Fails on a missing field, and on one of the wrong type.
        EVENT.validate_json(raw, strict=False)
        event = self.connection.parse_event(raw)
        self.log.append(event.type)
        return event

    async def until(self, kind):
        """Everything up to the next event of this type."""
        events = []
        while not events or events[-1].type != kind:
            events.append(await self.next())
            if events[-1].type == "error" and kind != "error":
                raise AssertionError(f"error: {events[-1].error}")
        return events

    async def speak(self):
        for sample, frames in ((8000, 40), (0, 40)):
            frame = base64.b64encode(sample.to_bytes(2, "little", signed=True) * 480).decode()
            for _ in range(frames):
                await self.connection.input_audio_buffer.append(audio=frame)


def sound(events):
    return b"".join(
        base64.b64decode(it.delta) for it in events if it.type == "response.output_audio.delta"
    )


async def handed_off(session):
    await session.connection.session.update(
        session={
            "type": "realtime",
            "audio": {
                "input": {
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
                }
            },
            "tools": [AGENT],
        }
    )
    # As the agents SDK does: the second update must not reset the first.
    await session.connection.session.update(session={"type": "realtime", "tracing": "auto"})
    await session.until("session.updated")
    updated = (await session.until("session.updated"))[-1].session
    assert updated.audio.input.turn_detection.type == "semantic_vad", updated
    assert updated.tools[0].name == "background_agent", updated

    await session.speak()
    events = await session.until("response.done")
    kinds = [it.type for it in events]
    order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_audio.delta",
        "response.function_call_arguments.done",
        "response.done",
    ]
    places = [kinds.index(kind) for kind in order]
    assert places == sorted(places), kinds
    assert len(sound(events)) > 4000

    done = events[-1].response
    assert done.status == "completed", done
    call = done.output[1]
    assert call.type == "function_call" and call.status == "completed", call
    assert json.loads(call.arguments) == {"prompt": "Run the tests."}, call

    # The user's words, as agents-js fetches them.
    user = next(it for it in events if it.type == "conversation.item.added").item
    await session.connection.conversation.item.retrieve(item_id=user.id)
    kept = (await session.until("conversation.item.retrieved"))[-1].item
    assert kept.content[0].transcript == "Run the tests.", kept
    assert len(base64.b64decode(kept.content[0].audio)) > 24000

    await session.connection.conversation.item.create(
        item={
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": "All four tests pass. See `src/lib.rs`.",
        }
    )
    await session.connection.response.create()
    events = await session.until("response.done")
    said = next(it for it in events if it.type == "response.output_audio_transcript.done")
    assert said.transcript == "All four tests pass. See lib dot R S.", said

    item = said.item_id
    await session.connection.conversation.item.truncate(
        item_id=item, content_index=0, audio_end_ms=100
    )
    await session.until("conversation.item.truncated")


async def answered(session):
    await session.connection.session.update(session={"type": "realtime", "tools": []})
    await session.until("session.updated")
    await session.speak()
    events = await session.until("response.done")
    said = next(it for it in events if it.type == "response.output_audio_transcript.done")
    assert said.transcript == "I am Duet. I listen.", said

    await session.connection.conversation.item.create(
        item={
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Two and two?"}],
        }
    )
    await session.connection.response.create(
        response={"output_modalities": ["text"], "metadata": {"topic": "sums"}}
    )
    events = await session.until("response.done")
    text = "".join(it.delta for it in events if it.type == "response.output_text.delta")
    assert text == "Four.", events
    done = events[-1].response
    assert done.metadata == {"topic": "sums"} and done.usage.total_tokens > 0, done


async def refused(session):
    await session.connection.send({"type": "response.cancel", "event_id": "mine"})
    error = (await session.until("error"))[-1].error
    assert error.code == "response_cancel_not_active" and error.event_id == "mine", error


async def main():
    async with AsyncOpenAI().realtime.connect(model="gpt-realtime") as connection:
        session = Session(connection)
        created = await session.next()
        assert created.type == "session.created", created
        for part in (handed_off, answered, refused):
            try:
                await part(session)
            except BaseException:
                print(f"in {part.__name__}, after:", *session.log[-40:], sep="\n  ", file=sys.stderr)
                raise


asyncio.run(main())
