"""Answers and streams: each row of the tables by hand, odd services, any chunk at all."""

import json
from typing import Any

import pytest
from chat_streams import ANSWERS, CORPUS, SERVICES, Said
from dialect_bodies import json_values
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.dialects import chat_stream
from failsoft.dialects.chat_stream import ChatStreamReader
from failsoft.dialects.completion import completion_of, message_of
from failsoft.dialects.messages_stream import MessagesStreamReader
from failsoft.dialects.token_usage import chat_usage, finish_reason, messages_usage, stop_reason
from failsoft.providers.anthropic_message import MessageAssembler
from failsoft.providers.sse import SSEReader


def chunk(finish: str | None = None, index: Any = 0, **delta: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice]}


def call(arguments: Any = None, name: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def read(*chunks: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    reader = ChatStreamReader()
    events = [event for one in chunks for event in reader.feed(one)]
    assert reader.complete
    return events + reader.finish()


def put_together(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    assembler = MessageAssembler()
    for kind, data in events:
        assert data["type"] == kind
        assembler.add(kind, data)
    assert assembler.concluded
    return assembler.message


def content_of(*chunks: dict[str, Any]) -> list[Any]:
    return put_together(read(*chunks))["content"]


def use(number: int = 0, name: str = "f", ident: str = "", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": ident or f"call_c1_{number}", "name": name, "input": given}


def test_the_events_are_those_of_the_messages_api() -> None:
    events = read(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="Hm"),
        chunk(content="Hi"),
        chunk(tool_calls=[call("", "f", id="t1", index=0)]),
        chunk(tool_calls=[call("{}", index=0)]),
        chunk("tool_calls"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    )

    assert [kind for kind, _ in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert put_together(events) == {
        "id": "c1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": ""},
            {"type": "text", "text": "Hi"},
            use(ident="t1"),
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }


FIRST, SECOND = call('{"a":1}', "f", index=0), call('{"a":2}', "f", index=0)
TWO_USES = [use(0, a=1), use(1, a=2)]


@pytest.mark.parametrize(
    ("calls", "uses"),
    [
        # Every call is number 0 (Gemini, older Ollama), with and without ids.
        ([[FIRST], [SECOND]], TWO_USES),
        ([[{**FIRST, "id": ""}], [{**SECOND, "id": ""}]], TWO_USES),
        (
            [[{**FIRST, "id": "x"}], [{**SECOND, "id": "y"}]],
            [use(a=1, ident="x"), use(a=2, ident="y")],
        ),
        ([[FIRST, SECOND]], TWO_USES),
        # None has a number.
        ([[call('{"a":1}', "f"), call('{"a":2}', "f")]], TWO_USES),
        ([[call('{"a":', "f")], [call("1}")], [call('{"a":2}', "f")]], TWO_USES),
        # Id and name again with every piece.
        (
            [[call('{"a":', "f", index=0, id="x")], [call("1}", "f", index=0, id="x")]],
            [use(a=1, ident="x")],
        ),
        ([[call('{"a":', "f", index=0)], [call("1}", "f", index=0)]], [use(a=1)]),
        # The name after the id, or after the first arguments, or never.
        ([[call(index=0, id="x")], [call("{}", "f", index=0)]], [use(ident="x")]),
        ([[call('{"a":1', index=0)], [call("}", "f", index=0)]], [use(a=1)]),
        ([[call('{"a":1}', index=0, id="x")]], [use(a=1, ident="x", name="")]),
        # Pieces of two calls by turns.
        (
            [
                [call('{"a":', "f", index=0), call('{"a":', "f", index=1)],
                [call("1}", index=0), call("2}", index=1)],
            ],
            TWO_USES,
        ),
        # Whole arguments after whole ones, with nothing else.
        ([[FIRST], [call('{"a":2}', "", index=0)]], TWO_USES),
        ([[call('{"a":{"b":1}', "f", index=0)], [call("}", index=0)]], [use(a={"b": 1})]),
        # Nothing but what is no part of a call.
        ([[{"index": 0, "extra_content": {"google": {}}}], [FIRST]], [use(a=1)]),
        # Arguments that are no text, none, cut off, no JSON.
        ([[call({"a": 1}, "f", index=0)]], [use(a=1)]),
        ([[call(None, "f", index=0)]], [use()]),
        ([[call('{"a":1,"b":"x', "f", index=0)]], [use(a=1)]),
        ([[call("a is 1", "f", index=0)]], [{**use(), "input": "a is 1"}]),
        # Letters that the Messages API does not take in an id.
        ([[call("{}", "f", index=0, id="functions.f:0")]], [use(ident="functions-2e-f-3a-0")]),
    ],
)
def test_calls_of_tools_as_services_send_them(calls, uses) -> None:
    pieces = [chunk(tool_calls=one) for one in calls]
    assert content_of(*pieces, chunk("tool_calls")) == uses


def test_the_signature_of_a_call_stays_with_it() -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    told = {**call("{}", "f", id="t1"), **signed}
    completion = whole(content=None, tool_calls=[told])
    message = message_of(completion)
    assert message["content"] == [{**use(ident="t1"), **signed}]
    assert content_of(chunk(tool_calls=[{**told, "index": 0}]), chunk("stop")) == message["content"]
    assert completion_of(message, model="m")["choices"][0]["message"]["tool_calls"] == [told]
    opened = MessagesStreamReader().feed("message", message)[1]["choices"][0]["delta"]
    assert opened["tool_calls"][0]["extra_content"] == signed["extra_content"]


def test_a_call_of_the_old_form() -> None:
    old = [
        chunk(function_call={"name": "f", "arguments": ""}),
        chunk(function_call={"arguments": "{}"}),
    ]
    message = put_together(read(*old, chunk("function_call")))
    assert (message["content"], message["stop_reason"]) == ([use()], "tool_use")


@pytest.mark.parametrize(
    ("deltas", "content"),
    [
        ([{"reasoning": "a", "reasoning_content": "a"}], [("thinking", "a")]),
        ([{"reasoning": "a"}, {"content": "b"}], [("thinking", "a"), ("text", "b")]),
        ([{"content": "b", "reasoning": "a"}], [("thinking", "a"), ("text", "b")]),
        (
            [{"reasoning": "a"}, {"content": "b"}, {"reasoning": "c"}, {"content": "d"}],
            [("thinking", "a"), ("text", "b"), ("thinking", "c"), ("text", "d")],
        ),
        # Mistral's reasoning models.
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
                {"content": [{"type": "text", "text": "b"}]},
                {"content": "c"},
            ],
            [("thinking", "a"), ("text", "bc")],
        ),
    ],
)
def test_reasoning_as_services_send_it(deltas, content) -> None:
    blocks = content_of(*(chunk(**delta) for delta in deltas), chunk("stop"))
    assert [(block["type"], block[block["type"]]) for block in blocks] == content


@pytest.mark.parametrize(
    ("chunks", "complete"),
    [
        ([], False),
        ([chunk(content="a")], False),
        ([chunk(content="a"), chunk("stop")], True),
        ([chunk("error", content="a")], False),  # OpenRouter
        ([chunk("insufficient_system_resource")], False),  # DeepSeek
        ([chunk(""), chunk("stop", index=1)], False),
        ([chunk("stop"), chunk(index=1, content="b")], False),
        ([chunk("stop"), chunk(index=1, content="b"), chunk("stop", index=1)], True),
    ],
)
def test_complete_means_that_every_choice_has_its_reason(chunks, complete) -> None:
    reader = ChatStreamReader()
    for one in chunks:
        reader.feed(one)
    assert reader.complete is complete
    ends = [kind for kind, _ in reader.finish()][-2:]
    assert ends == (["message_delta", "message_stop"] if complete else [])
    assert reader.finish() == []


@pytest.mark.parametrize(
    ("finish", "called", "refused", "stop"),
    [
        ("stop", False, False, "end_turn"),
        ("length", False, False, "max_tokens"),
        ("tool_calls", True, False, "tool_use"),
        ("content_filter", False, False, "refusal"),
        ("function_call", True, False, "tool_use"),
        ("stop", True, False, "tool_use"),
        ("length", True, False, "max_tokens"),
        ("stop", False, True, "refusal"),
        ("eos", False, False, "end_turn"),
        ("model_length", False, False, "max_tokens"),
        ("STOP", False, False, "end_turn"),
        ("content_filter: PROHIBITED_CONTENT", False, False, "refusal"),
        ("something_new", False, False, "something_new"),
        ("error", False, False, None),
        (None, False, False, None),
        (["stop"], False, False, None),
    ],
)
def test_finish_to_stop(finish, called, refused, stop) -> None:
    assert stop_reason(finish, called=called, refused=refused) == stop


@pytest.mark.parametrize(
    ("stop", "finish"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("something_new", "stop"),
        (None, None),
    ],
)
def test_stop_to_finish(stop, finish) -> None:
    assert finish_reason(stop) == finish


USED = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
COUNTED = {"input_tokens": 100, "output_tokens": 7}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (USED, COUNTED),
        ({}, {"input_tokens": 0, "output_tokens": 0}),
        ({"prompt_tokens": "1", "completion_tokens": -4}, {"input_tokens": 0, "output_tokens": 0}),
        (
            {**USED, "prompt_tokens_details": {"cached_tokens": 80, "cache_write_tokens": 5}},
            {
                "input_tokens": 15,
                "output_tokens": 7,
                "cache_read_input_tokens": 80,
                "cache_creation_input_tokens": 5,
            },
        ),
        (
            {**USED, "prompt_cache_hit_tokens": 64},  # DeepSeek
            {"input_tokens": 36, "output_tokens": 7, "cache_read_input_tokens": 64},
        ),
        (
            {**USED, "total_tokens": 407, "completion_tokens_details": {"reasoning_tokens": 300}},
            {**COUNTED, "output_tokens": 307, "output_tokens_details": {"thinking_tokens": 300}},
        ),
    ],
)
def test_usage_to_messages(usage, counted) -> None:
    assert messages_usage(usage) == counted


def test_usage_there_and_back() -> None:
    counted = {
        "input_tokens": 15,
        "output_tokens": 7,
        "cache_read_input_tokens": 80,
        "cache_creation_input_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    assert messages_usage(chat_usage(counted)) == counted
    assert chat_usage(counted)["total_tokens"] == 107


def test_a_stop_sequence_that_the_service_names() -> None:
    last = chunk("stop")
    last["choices"][0]["stop_reason"] = "END"  # vLLM
    message = put_together(read(chunk(content="a"), last))
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "END")


def test_azure_says_nothing_in_its_first_chunk() -> None:
    events = read({"id": "", "model": "", "choices": []}, chunk(content="a"), chunk("stop"))
    assert (put_together(events)["id"], put_together(events)["model"]) == ("c1", "m")


def whole(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c1", "model": "m", "choices": [choice], "usage": USED}


@pytest.mark.parametrize(
    "completion",
    [
        whole(content="Hi"),
        whole(content=None, tool_calls=[call('{"a":1}', "f", id="t1")]),
        whole(content="Hi", reasoning="Hm", tool_calls=[call('{"a":1}', "f")]),
        whole(content=None, refusal="No."),
        whole(content=[{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]),
        whole(content=None),
    ],
)
def test_a_whole_answer_is_read_as_its_stream_would_be(completion) -> None:
    assert put_together(read(completion)) == message_of(completion)


def test_a_whole_answer_after_its_stream_says_nothing_twice() -> None:
    assert content_of(chunk(content="Hi"), whole(content="Hi")) == [{"type": "text", "text": "Hi"}]


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "Hm", "signature": ""},
        {"type": "text", "text": "Hi"},
        use(ident="t1", a=1),
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "stop_details": None,
    "usage": {"input_tokens": 20, "output_tokens": 7, "cache_read_input_tokens": 80},
}


def test_a_message_there_and_back() -> None:
    completion = completion_of(MESSAGE, model="m", created=5)
    assert completion == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "reasoning_content": "Hm",
                    "tool_calls": [call('{"a":1}', "f", id="t1")],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 7,
            "total_tokens": 107,
            "prompt_tokens_details": {"cached_tokens": 80},
        },
    }
    assert message_of(completion) == MESSAGE


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_whole_message_as_chunks(include_usage) -> None:
    reader = MessagesStreamReader(created=5, include_usage=include_usage)
    chunks = reader.feed("message", MESSAGE)
    assert put_together(read(*chunks))["content"] == MESSAGE["content"]
    assert [one["choices"] for one in chunks[-1:]] == (
        [[]] if include_usage else [chunks[-1]["choices"]]
    )
    assert all(("usage" in one) is include_usage for one in chunks)
    assert reader.feed("message_stop", {}) == []


@pytest.mark.parametrize("end", ["message_stop", "soft_end"])
def test_the_usage_comes_once_and_last(end) -> None:
    reader = MessagesStreamReader(include_usage=True)
    reader.feed("message_start", {"message": {"usage": {"input_tokens": 3, "output_tokens": 1}}})
    delta = {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}
    [last] = reader.feed("message_delta", delta)
    assert last["choices"][0]["finish_reason"] == "stop"
    [used] = reader.feed(end, {})
    assert (used["choices"], used["usage"]["total_tokens"]) == ([], 7)
    assert reader.feed(end, {}) == []


def test_a_call_without_arguments_has_an_empty_object() -> None:
    reader = MessagesStreamReader()
    start = {"index": 0, "content_block": use(ident="t1")}
    [opened] = reader.feed("content_block_start", start)
    [argued] = reader.feed("content_block_stop", {"index": 0})
    assert opened["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    assert argued["choices"][0]["delta"]["tool_calls"] == [
        {"index": 0, "function": {"arguments": "{}"}}
    ]


def pieces_of(text: str) -> st.SearchStrategy[tuple[str, ...]]:
    cuts = st.lists(st.integers(min_value=0, max_value=len(text)), max_size=4).map(sorted)
    return cuts.map(
        lambda at: tuple(text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True))
    )


def message_from(stream: bytes) -> dict[str, Any]:
    data = [event.data for event in SSEReader().feed(stream) if event.data != "[DONE]"]
    return put_together(read(*map(json.loads, data)))


quick = settings(max_examples=60)


@quick
@given(
    st.sampled_from(sorted(SERVICES)),
    pieces_of("Grüße \U0001f44b"),
    pieces_of('{"city": "Rome", "days": [1, {"a": "\\u00e9}"}]}'),
)
def test_it_is_the_same_message_however_it_is_cut(name, text, arguments) -> None:
    service = SERVICES[name]
    calls = (("f", tuple(filter(None, arguments))), ("g", ("{}",)))
    message = message_from(service.stream(Said(text=text, calls=calls, finish="tool_calls")))

    said, first, second = message["content"]
    assert said == {"type": "text", "text": "Grüße \U0001f44b"}
    assert first["input"] == {"city": "Rome", "days": [1, {"a": "é}"}]}
    assert (first["name"], second["name"], second["input"]) == ("f", "g", {})
    assert first["id"] != second["id"]
    assert message["stop_reason"] == "tool_use"


def replaced(value: Any) -> st.SearchStrategy[Any]:
    """``value`` with some part of it, at any depth, replaced by any JSON."""
    if isinstance(value, dict) and value:
        one = st.sampled_from(sorted(value)).flatmap(
            lambda key: replaced(value[key]).map(lambda new: {**value, key: new})
        )
    elif isinstance(value, list) and value:
        one = replaced(value[0]).map(lambda new: [new, *value[1:]])
    else:
        return json_values
    return st.one_of(one, one, one, json_values)


STREAMS = [
    [
        json.loads(event.data)
        for event in SSEReader().feed(CORPUS[f"openai_{answer}"])
        if "{" in event.data
    ]
    for answer in ("text_and_calls", "refusal")
]
assert set(ANSWERS) >= {"text_and_calls", "refusal"}


@quick
@given(st.sampled_from(STREAMS).flatmap(lambda s: st.tuples(*map(replaced, s))))
def test_no_chunk_makes_it_fail(chunks) -> None:
    reader, assembler = ChatStreamReader(), MessageAssembler()
    for one in chunks:
        if isinstance(one, dict):
            for kind, data in reader.feed(one):
                assembler.add(kind, data)
            message_of(one)
    for kind, data in reader.finish():
        assembler.add(kind, data)
    json.dumps(completion_of(assembler.message, model="m"))


EVENTS = [
    *read(chunk(content="a"), chunk(tool_calls=[call("{}", "f", index=0)]), chunk("stop")),
    ("message", MESSAGE),
]


@quick
@given(st.tuples(*(replaced(data) for _, data in EVENTS)))
def test_no_event_makes_it_fail(changed) -> None:
    reader = MessagesStreamReader(include_usage=True)
    for (kind, _), data in zip(EVENTS, changed, strict=True):
        if isinstance(data, dict):
            json.dumps(reader.feed(kind, data))
            completion_of(data, model="m")


def test_arguments_in_many_pieces_are_not_parsed_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(chat_stream, "parsed_object", parsed.append)
    reader = ChatStreamReader()

    def argue(arguments: str) -> None:
        call = {"index": 0, "function": {"name": "f", "arguments": arguments}}
        reader.feed({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})

    argue('{"code": "')
    for _ in range(100):
        argue("{}")

    assert len(parsed) < 10
