"""The same final message as the official SDK of each dialect, over the same bytes."""

import json
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from chat_streams import CORPUS
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from failsoft.dialects.chat_stream import ChatStreamReader
from failsoft.dialects.completion import completion_of, message_of
from failsoft.dialects.json_values import tool_input
from failsoft.dialects.messages_stream import MessagesStreamReader
from failsoft.providers.anthropic_message import MessageAssembler
from failsoft.providers.payload import parse
from failsoft.providers.sse import SSEReader

MESSAGES = {
    path.stem: path.read_bytes()
    for path in (Path(__file__).parents[1] / "providers" / "corpus").glob("*.sse")
}


def assembled(stream: bytes) -> dict[str, Any]:
    reader, assembler = ChatStreamReader(), MessageAssembler()
    for event in SSEReader().feed(stream):
        if event.data != "[DONE]":
            for kind, data in reader.feed(parse(event.data)):
                assembler.add(kind, data)
    for kind, data in reader.finish():
        assembler.add(kind, data)
    return assembler.message


def replying(stream: bytes) -> httpx2.Client:
    """The SDKs' own transport, whose every reply is that stream."""
    head = {"content-type": "text/event-stream"}
    return httpx2.Client(
        transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=head, content=stream))
    )


def by_openai(stream: bytes) -> dict[str, Any]:
    client = openai.OpenAI(api_key="key", http_client=replying(stream), max_retries=0)
    with client, client.chat.completions.stream(model="m", messages=[]) as theirs:
        for _ in theirs:
            pass
        # Its final completion is the same, but where that was cut or filtered it raises.
        return theirs.current_completion_snapshot.to_dict(mode="json")


def by_anthropic(stream: bytes, name: str) -> dict[str, Any]:
    client = anthropic.Anthropic(api_key="key", http_client=replying(stream), max_retries=0)
    messages = client.beta.messages if name.startswith("beta_") else client.messages
    with client, messages.stream(model="m", max_tokens=9, messages=[]) as theirs:
        return theirs.get_final_message().to_dict(mode="json")


@pytest.mark.parametrize("name", sorted(CORPUS))
@pytest.mark.filterwarnings("ignore:Pydantic serializer:UserWarning")  # the SDK's, on the unknown
def test_a_chat_stream(name: str) -> None:
    theirs = by_openai(CORPUS[name])

    message = assembled(CORPUS[name])

    expected = message_of(theirs)
    if theirs.get("id"):  # Azure's first chunk has none, and the SDK looks no further
        assert (message["id"], message["model"]) == (theirs["id"], theirs["model"])
    if theirs.get("usage"):  # the SDK forgets all but that of the last chunk
        assert message["usage"] == expected["usage"]
    for field in ("role", "content", "stop_reason", "stop_sequence", "type"):
        assert message[field] == expected[field], field


@pytest.mark.parametrize("name", sorted(MESSAGES))
@pytest.mark.filterwarnings("ignore:Pydantic serializer:UserWarning")
def test_a_messages_stream(name: str) -> None:
    theirs = by_anthropic(MESSAGES[name], name)
    reader = MessagesStreamReader(model=theirs["model"], include_usage=True)
    state = ChatCompletionStreamState()

    for event in SSEReader().feed(MESSAGES[name]):
        data = parse(event.data)
        for chunk in reader.feed(data["type"], data):
            state.handle_chunk(ChatCompletionChunk.model_validate(json.loads(json.dumps(chunk))))

    completion = state.current_completion_snapshot.to_dict(mode="json")
    expected = completion_of(theirs, model=theirs["model"])
    ours, said = completion["choices"][0], expected["choices"][0]
    assert ours["finish_reason"] == said["finish_reason"]
    assert ours["message"]["content"] == (said["message"]["content"] or "")
    for field in ("role", "reasoning_content"):
        assert ours["message"].get(field) == said["message"].get(field)
    assert _calls(ours["message"]) == _calls(said["message"])
    assert completion["usage"] == expected["usage"]
    assert (completion["id"], completion["model"]) == (expected["id"], expected["model"])


def _calls(message: dict[str, Any]) -> list[Any]:
    return [
        (call["id"], call["function"]["name"], tool_input(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    ]


def test_the_corpora_are_large_enough_to_mean_something() -> None:
    assert len(CORPUS) >= 40
    assert len(MESSAGES) >= 40
