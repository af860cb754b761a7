"""The message put together: as the SDK does, and never failing."""

import json
from pathlib import Path
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import SSE_HEAD, chunked, serving

from failsoft.providers.anthropic_message import MessageAssembler
from failsoft.providers.payload import parse
from failsoft.providers.sse import SSEReader

CORPUS = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "corpus").glob("*.sse")}


def assembled(stream: bytes) -> tuple[dict[str, Any], str]:
    """The message of a stream, and the text its events added."""
    assembler = MessageAssembler()
    text = ""
    for event in SSEReader().feed(stream):
        data = parse(event.data)
        text += assembler.add(data["type"], data)
    return assembler.message, text


def text_of(message: dict[str, Any]) -> str:
    blocks = [block for block in message.get("content", ()) if block.get("type") == "text"]
    return "".join(b["text"] for b in blocks if isinstance(b.get("text"), str))


@pytest.mark.parametrize("name", sorted(CORPUS))
@pytest.mark.filterwarnings("ignore:Pydantic serializer:UserWarning")  # the SDK's, on the unknown
async def test_the_same_message_as_the_sdk(name: str) -> None:
    stream = CORPUS[name]
    async with (
        serving(chunked(SSE_HEAD, stream)) as server,
        anthropic.AsyncAnthropic(api_key="key", base_url=server.url, max_retries=0) as client,
    ):
        messages = client.beta.messages if name.startswith("beta_") else client.messages
        async with messages.stream(model="m", max_tokens=9, messages=[]) as theirs:
            expected = (await theirs.get_final_message()).to_dict(mode="json")

    message, text = assembled(stream)

    assert message == expected
    assert text == text_of(message)


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CORPUS) >= 25


START = {"message": {"role": "assistant", "content": [], "usage": {"input_tokens": 3}}}


def build(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    assembler = MessageAssembler()
    for kind, data in events:
        assembler.add(kind, data)
    return assembler.message


def delta(index: Any, kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "content_block_delta", {"index": index, "delta": {"type": kind, **fields}}


def block(index: Any, **fields: Any) -> tuple[str, dict[str, Any]]:
    return "content_block_start", {"index": index, "content_block": fields}


def test_tool_input_that_is_not_json_stays_the_text_it_is() -> None:
    message = build(
        block(0, type="tool_use", id="t", name="f", input={}),
        delta(0, "input_json_delta", partial_json='{"a" '),
        delta(0, "input_json_delta", partial_json="is 1}"),
        block(1, type="tool_use", id="u", name="f", input={}),
        delta(1, "input_json_delta", partial_json='{"a": "\\ud800"}'),
        block(2, type="tool_use", id="v", name="f", input={}),
        delta(2, "input_json_delta", partial_json='{"a": NaN}'),
    )

    inputs = [block["input"] for block in message["content"]]
    assert inputs == ['{"a" is 1}', '{"a": "\\ud800"}', '{"a": NaN}']


def test_text_of_a_block_that_never_started_is_kept() -> None:
    message = build(
        ("message_start", START),
        delta(4, "text_delta", text="a"),
        delta(4, "text_delta", text="b"),
        delta(5, "thinking_delta", thinking="dropped"),
        delta(6, "input_json_delta", partial_json="{}"),
    )

    assert message["content"] == [{"type": "text", "text": "ab"}]


def test_it_is_kept_in_the_order_in_which_it_is_shown() -> None:
    message = build(
        ("message_start", START),
        block(0, type="text", text=""),
        delta(0, "text_delta", text="a"),
        delta(7, "text_delta", text="b"),
        block(1, type="tool_use", id="t", name="f", input={}),
        delta(8, "text_delta", text="c"),
        delta(0, "text_delta", text="d"),
        block(7, type="text", text="e"),
        delta(9, "text_delta", text="f"),
        delta(7, "text_delta", text="g"),
    )

    texts = [block.get("text") for block in message["content"]]
    assert texts == ["abcd", None, "efg"]


def test_a_delta_for_a_block_of_another_type_changes_nothing() -> None:
    message = build(
        block(0, type="thinking", thinking="t", signature="s"),
        delta(0, "text_delta", text="x"),
        delta(0, "input_json_delta", partial_json="{}"),
        block(1, type="text", text="t"),
        delta(1, "thinking_delta", thinking="x"),
        delta(1, "signature_delta", signature="x"),
        delta(1, "compaction_delta", content="x"),
    )

    assert message["content"] == [
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "text", "text": "t"},
    ]


def test_content_before_message_start_is_kept() -> None:
    message = build(delta(0, "text_delta", text="early"), ("message_start", START))

    assert message["role"] == "assistant"
    assert message["content"] == [{"type": "text", "text": "early"}]


def test_a_block_without_an_index_gets_the_deltas_without_one() -> None:
    message = build(
        block(None, type="text", text=""),
        delta("0", "text_delta", text="a"),
        delta([], "text_delta", text="b"),
        delta(0, "text_delta", text="c"),
    )

    assert [block["text"] for block in message["content"]] == ["abc"]


def test_a_whole_message_is_taken_as_it_is() -> None:
    whole = {"type": "message", "content": [{"type": "text", "text": "hi"}], "usage": {"x": 1}}
    assembler = MessageAssembler()

    assert assembler.add("message", whole) == "hi"
    assert assembler.message == whole


def test_the_events_are_not_changed() -> None:
    events = [
        ("message_start", START),
        block(0, type="text", text="", citations=[]),
        delta(0, "text_delta", text="a"),
        delta(0, "citations_delta", citation={"a": 1}),
        ("message_delta", {"delta": {"stop_reason": "x"}, "usage": {"output_tokens": 2}}),
    ]
    before = json.dumps(events)

    build(*events)

    assert json.dumps(events) == before


def test_nothing_is_nothing() -> None:
    assert MessageAssembler().message == {}


# A stream that never was: every field may be missing, or anything.
junk = st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3) | st.lists(st.just(1))
words = st.sampled_from(
    ["text", "thinking", "tool_use", "compaction", "fallback", "text_delta", "thinking_delta",
     "input_json_delta", "citations_delta", "signature_delta", "compaction_delta", "odd"]
)  # fmt: skip
names = st.sampled_from(
    ["type", "index", "delta", "content_block", "message", "usage", "content", "text", "thinking",
     "partial_json", "citation", "citations", "signature", "stop_reason", "to", "model", "input"]
)  # fmt: skip
objects = st.recursive(
    st.dictionaries(names, junk | words, max_size=5),
    lambda inner: st.dictionaries(names, inner | junk | words | st.lists(inner), max_size=5),
    max_leaves=4,
)
kinds = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "content_block_stop",
     "message_delta", "message_stop", "message", "ping", "odd"]
)  # fmt: skip


@given(st.lists(st.tuples(kinds, objects), max_size=8))
def test_no_stream_makes_it_fail_and_no_text_is_lost(
    events: list[tuple[str, dict[str, Any]]],
) -> None:
    assembler = MessageAssembler()

    shown = "".join(assembler.add(kind, data) for kind, data in events)

    message = assembler.message
    assert json.loads(json.dumps(message)) == message
    assert sorted(shown) == sorted(text_of(message))
