"""Reads the chunks of a Chat Completions stream as the events of a Messages stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failsoft.dialects.json_values import (
    json_text,
    list_in,
    mapping_in,
    messages_tool_id,
    parsed_object,
    text_in,
)
from failsoft.dialects.token_usage import is_finished, messages_usage, stop_reason

__all__ = ["ChatStreamReader", "made_up_id", "reasoning_in", "stop_text", "text_of_parts"]

Event = tuple[str, dict[str, Any]]

_NO_TOKENS: Mapping[str, int] = {"input_tokens": 0, "output_tokens": 0}
_TEXT = {"type": "text", "text": ""}
_THOUGHT = {"type": "thinking", "thinking": "", "signature": ""}

# Times that the arguments of a call are parsed to see whether they are whole. Services that number
# all calls 0 send them in one piece; each look at many pieces costs as much as all of them.
_MOST_LOOKS = 8


class ChatStreamReader:
    """One answer as it comes: parsed chunks in, pairs of an event's type and its data out.

    Only the first choice is translated. Reasoning becomes unsigned ``thinking``, a refusal text.
    Nothing in a chunk makes it fail; what does not fit adds nothing. An error in the stream is for
    the caller to see: a chunk with both ``error`` and ``choices`` is read like any other.

    >>> reader = ChatStreamReader()
    >>> chunk = {"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    >>> [kind for kind, _ in reader.feed(chunk)]
    ['message_start', 'content_block_start', 'content_block_delta']
    >>> reader.feed({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    []
    >>> reader.complete, [kind for kind, _ in reader.finish()]
    (True, ['content_block_stop', 'message_delta', 'message_stop'])
    """

    __slots__ = (
        "_blocks", "_by_index", "_calls", "_ended", "_finish", "_first", "_id", "_kind", "_latest",
        "_open", "_refused", "_started", "_stop_text", "_unfinished", "_usage",
    )  # fmt: skip

    def __init__(self) -> None:
        self._started = self._ended = self._refused = False
        self._id = ""
        self._first: object = None  # the index of the choice that is translated
        self._unfinished: set[object] = set()  # choices
        self._finish: object = None
        self._stop_text: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._blocks = 0
        self._kind = ""  # of the open block
        self._open = -1  # its index, -1 where none is open
        self._calls: list[_Call] = []
        self._by_index: dict[object, _Call] = {}
        self._latest: _Call | None = None

    @property
    def complete(self) -> bool:
        """Whether every choice seen has a reason to have finished; ``[DONE]`` proves nothing."""
        return is_finished(self._finish) and not self._unfinished

    def feed(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events that one chunk brings, often none."""
        events: list[Event] = []
        if usage := chunk.get("usage") or mapping_in(chunk, "x_groq").get("usage"):
            self._usage = usage if isinstance(usage, Mapping) else self._usage
        choices = chunk.get("choices")
        if isinstance(choices, list):
            for choice in choices:
                if isinstance(choice, dict):
                    self._choose(choice, chunk, events)
        return events

    def finish(self) -> list[Event]:
        """The events that end the message, once; none where the answer is not complete.

        Call it when no more comes: the usage follows the reason to finish.
        """
        if self._ended or not self.complete:
            return []
        self._ended = True
        events: list[Event] = []
        for call in self._calls:
            if call.block < 0:
                self._start_call(call, events)
        self._close(events)
        delta = {
            "stop_reason": stop_reason(
                self._finish, called=bool(self._calls), refused=self._refused
            ),
            "stop_sequence": self._stop_text,
            "stop_details": None,
        }
        if self._stop_text is not None and delta["stop_reason"] == "end_turn":
            delta["stop_reason"] = "stop_sequence"
        usage = messages_usage(self._usage)
        events.append(("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}))
        events.append(("message_stop", {"type": "message_stop"}))
        return events

    def _choose(
        self, choice: dict[str, Any], chunk: Mapping[str, Any], events: list[Event]
    ) -> None:
        if not self._started:
            self._start(choice.get("index"), chunk, events)
        if choice.get("index") != self._first:
            self._other(choice)
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._add(delta, events)
        elif not self._blocks and isinstance(choice.get("message"), dict):
            self._add(choice["message"], events)  # a whole answer, from one that does not stream
        if finish := choice.get("finish_reason"):
            self._finish = finish
            self._stop_text = stop_text(choice)

    def _other(self, choice: dict[str, Any]) -> None:
        number = choice.get("index")
        if is_finished(choice.get("finish_reason")):
            self._unfinished.discard(str(number))
        else:
            self._unfinished.add(str(number))

    def _start(self, first: object, chunk: Mapping[str, Any], events: list[Event]) -> None:
        self._started, self._first = True, first
        self._id = text_in(chunk, "id")
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": text_in(chunk, "model"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": dict(_NO_TOKENS),
        }
        events.append(("message_start", {"type": "message_start", "message": message}))

    def _add(self, delta: dict[str, Any], events: list[Event]) -> None:
        content = delta.get("content")
        if len(delta) == 1 and content and isinstance(content, str):  # most chunks
            self._say(content, events)
            return
        if thought := reasoning_in(delta):
            self._think(thought, events)
        if content and isinstance(content, str):
            self._say(content, events)
        elif content:
            self._parts(content, events)
        if refusal := text_in(delta, "refusal"):
            self._refused = True
            self._say(refusal, events)
        calls = list_in(delta, "tool_calls")
        if function := mapping_in(delta, "function_call"):
            calls = [{"index": 0, "function": function}]
        for call in calls:
            if isinstance(call, dict):
                self._call(call, events)

    def _parts(self, content: Any, events: list[Event]) -> None:
        """Content in parts, as Mistral's reasoning models send it."""
        for kind, text in text_of_parts(content):
            (self._think if kind == "thinking" else self._say)(text, events)

    def _say(self, text: str, events: list[Event]) -> None:
        if self._kind != "text":
            self._begin("text", dict(_TEXT), events)
        delta = {"type": "text_delta", "text": text}
        self._extend(self._open, delta, events)

    def _think(self, text: str, events: list[Event]) -> None:
        if self._kind != "thinking":
            self._begin("thinking", dict(_THOUGHT), events)
        delta = {"type": "thinking_delta", "thinking": text}
        self._extend(self._open, delta, events)

    def _extend(self, index: int, delta: dict[str, Any], events: list[Event]) -> None:
        data = {"type": "content_block_delta", "index": index, "delta": delta}
        events.append(("content_block_delta", data))

    def _begin(self, kind: str, block: dict[str, Any], events: list[Event]) -> None:
        self._close(events)
        self._kind, self._open = kind, self._blocks
        self._blocks += 1
        data = {"type": "content_block_start", "index": self._open, "content_block": block}
        events.append(("content_block_start", data))

    def _close(self, events: list[Event]) -> None:
        if self._open >= 0:
            data = {"type": "content_block_stop", "index": self._open}
            events.append(("content_block_stop", data))
        self._kind, self._open = "", -1

    # Calls of tools.

    def _call(self, delta: dict[str, Any], events: list[Event]) -> None:
        function = mapping_in(delta, "function")
        ident, name = text_in(delta, "id"), text_in(function, "name")
        arguments = _arguments(function)
        if not (ident or name or arguments):
            return
        call = self._which(delta.get("index"), ident, name, arguments)
        call.id = call.id or ident
        call.name = call.name or name
        call.signed = call.signed or mapping_in(delta, "extra_content")
        if call.block < 0 and call.name:
            self._start_call(call, events)
        if arguments:
            call.add(arguments)
            if call.block >= 0:
                self._argue(call.block, arguments, events)

    def _which(self, index: object, ident: str, name: str, arguments: str) -> _Call:
        """The call that a delta is about. Some services number all calls 0, or none."""
        index = index if isinstance(index, int) else None
        known = self._latest if index is None else self._by_index.get(index)
        if known is None or known.is_before(ident, name, arguments):
            known = _Call(len(self._calls), known.name if known and not name else "")
            self._calls.append(known)
        if index is not None:
            self._by_index[index] = known
        self._latest = known
        return known

    def _start_call(self, call: _Call, events: list[Event]) -> None:
        ident = messages_tool_id(call.id or made_up_id(self._id, call.number))
        block = {"type": "tool_use", "id": ident, "name": call.name, "input": {}}
        if call.signed:
            block["extra_content"] = call.signed
        self._begin("tool_use", block, events)
        call.block = self._open
        if call.arguments:
            self._argue(call.block, call.arguments, events)

    def _argue(self, index: int, arguments: str, events: list[Event]) -> None:
        self._extend(index, {"type": "input_json_delta", "partial_json": arguments}, events)


class _Call:
    """One call of a tool: what is known of it, and the block that it is in, -1 before that."""

    __slots__ = ("_looks", "_pieces", "block", "id", "name", "number", "signed")

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.id = ""
        self.name = name
        self.block = -1
        self.signed: Mapping[str, Any] = {}  # what Gemini wants back with the call
        self._pieces: list[str] = []
        self._looks = _MOST_LOOKS

    @property
    def arguments(self) -> str:
        return "".join(self._pieces)

    def add(self, arguments: str) -> None:
        self._pieces.append(arguments)

    def is_before(self, ident: str, name: str, arguments: str) -> bool:
        """Whether a delta with these begins the next call, although its index is the same.

        A new id does, and a name or arguments that come after whole ones.
        """
        if ident and self.id:
            return ident != self.id
        if not self._pieces or not ((name and self.name) or arguments.lstrip().startswith("{")):
            return False
        if not self._looks or not self._pieces[-1].rstrip().endswith("}"):
            return False
        self._looks -= 1
        return parsed_object(self.arguments) is not None


def _arguments(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments")
    if isinstance(arguments, str) or not arguments:
        return arguments or ""
    try:
        return json_text(arguments)
    except ValueError:
        return ""


def made_up_id(answer: str, number: int) -> str:
    """The id of a call that came without one: the same for the same answer, unlike any other's."""
    return f"call_{answer}_{number}" if answer else f"call_{number}"


def reasoning_in(delta: Mapping[str, Any]) -> str:
    """The model's reasoning in a delta or a message, under either of the two names in use."""
    return text_in(delta, "reasoning_content") or text_in(delta, "reasoning")


def stop_text(choice: Mapping[str, Any]) -> str | None:
    """The stop sequence that ended a choice, where the service says it (vLLM, SGLang)."""
    return text_in(choice, "stop_reason") or text_in(choice, "matched_stop") or None


def text_of_parts(content: Any) -> list[tuple[str, str]]:
    """Kind (``text`` or ``thinking``) and text of each part of a content in parts."""
    found: list[tuple[str, str]] = []
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            several = [("text", inner)] if isinstance(inner, str) else text_of_parts(inner)
            found += [("thinking", text) for _, text in several if text]
        elif text := text_in(part, "text"):
            found.append(("text", text))
    return found
