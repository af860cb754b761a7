"""What a translation costs: a request of 20 turns with tools, an event of a stream, each way.

Bars: 150 µs for the request, 6 µs for an event. A request is also shown against ``json.dumps`` of
the same body, which says how fast the machine is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from failsoft.dialects.chat_format import ChatFormat
from failsoft.dialects.chat_request import chat_request
from failsoft.dialects.chat_stream import ChatStreamReader
from failsoft.dialects.messages_request import messages_request
from failsoft.dialects.messages_stream import MessagesStreamReader

TURNS = 20
EVENTS = 1000
ROUNDS = 31

TEXT = "The forecast for tomorrow is dry and mild, with some wind in the evening. " * 4
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}


def history() -> dict[str, Any]:
    """Twenty turns: in each a question, thought, a call of a tool, its result, an answer."""
    messages: list[dict[str, Any]] = []
    for turn in range(TURNS):
        ident = f"toolu_01A09q90qw90lq9178{turn:03}"
        call = {"type": "tool_use", "id": ident, "name": "get_weather", "input": {"city": "Oslo"}}
        thought = {"type": "thinking", "thinking": TEXT, "signature": "c2lnbmVk"}
        result = {"type": "tool_result", "tool_use_id": ident, "content": TEXT}
        messages += [
            {"role": "user", "content": f"And on day {turn}?"},
            {
                "role": "assistant",
                "content": [thought, {"type": "text", "text": "Let me see."}, call],
            },
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [{"type": "text", "text": TEXT}]},
        ]
    messages.append({"role": "user", "content": "Thanks. And then?"})
    tools = [
        {"name": f"tool_{number}", "description": TEXT, "input_schema": CITY} for number in range(5)
    ]
    system = [{"type": "text", "text": TEXT, "cache_control": {"type": "ephemeral"}}]
    return {"max_tokens": 1024, "system": system, "tools": tools, "messages": messages}


def microseconds(work: Callable[[], object], times: int) -> float:
    """The median CPU time of one call of ``work``, of several rounds of ``times`` calls."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - began) / times * 1e6)
    return median(rounds)


def chunk(delta: Mapping[str, Any]) -> dict[str, Any]:
    """One chunk as OpenAI sends it."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1764590000,
        "model": "gpt-5.5",
        "system_fingerprint": "fp_1",
        "choices": [choice],
        "usage": None,
    }


def read_chunks() -> None:
    reader = ChatStreamReader()
    for one in CHUNKS:
        reader.feed(one)


def read_events() -> None:
    reader = MessagesStreamReader(model="m")
    for one in DELTAS:
        reader.feed("content_block_delta", one)


CHUNKS = [chunk({"content": " word"}) for _ in range(EVENTS)]
DELTAS = [{"index": 0, "delta": {"type": "text_delta", "text": " word"}} for _ in range(EVENTS)]


def main() -> None:
    body = history()
    form = ChatFormat()
    chat = chat_request(body, form).body
    as_json = microseconds(lambda: json.dumps(body), 20)
    out = microseconds(lambda: chat_request(body, form), 20)
    back = microseconds(lambda: messages_request(chat), 20)
    size, count = len(json.dumps(body)) // 1000, len(body["messages"])
    print(f"{TURNS} turns with tools: {count} messages, {size} kB")
    print(
        f"| Messages → Chat | {out:.0f} µs | {out / as_json:.2f} x json.dumps ({as_json:.0f} µs) |"
    )
    print(f"| Chat → Messages | {back:.0f} µs | {back / as_json:.2f} x |")
    print(f"| a Chat chunk as events | {microseconds(read_chunks, 1) / EVENTS:.2f} µs | |")
    print(f"| a Messages event as chunks | {microseconds(read_events, 1) / EVENTS:.2f} µs | |")


if __name__ == "__main__":
    main()
