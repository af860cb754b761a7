"""Chat Completions streams as the services document and send them: the same answers, their bytes.

Each :class:`Service` has the habits of one service: what its chunks carry, where its usage is, how
it sends reasoning and calls of tools. ``CORPUS`` has every answer of each service that can give it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CORPUS", "SERVICES", "Said", "Service"]


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer, in the pieces in which it comes."""

    text: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name, pieces of the arguments
    finish: str = "stop"
    cached: int = 0


ANSWERS = {
    "text": Said(text=("Two", " words", ".")),
    "cached": Said(text=("Again",), cached=64),
    "unicode": Said(text=("Grüße \U0001f44b\u2028", '"quoted"\n\n')),
    "length": Said(text=("It was a dark",), finish="length"),
    "reasoning": Said(reasoning=("Two plus", " two"), text=("4",)),
    "call": Said(calls=(("get_weather", ('{"ci', 'ty": "Par', 'is"}')),), finish="tool_calls"),
    "text_and_calls": Said(
        text=("Let me look.",),
        calls=(("get_weather", ('{"city":', '"Rome"}')), ("get_time", ("{}",))),
        finish="tool_calls",
    ),
    "reasoned_call": Said(
        reasoning=("I need", " the weather"),
        calls=(("get_weather", ('{"city": "Oslo", ', '"days": [1, 2.5, null]}')),),
        finish="tool_calls",
    ),
    "call_cut": Said(calls=(("write", ('{"path": "a.txt", "text": "once up',)),), finish="length"),
    "filtered": Said(text=("This is",), finish="content_filter"),
    "refusal": Said(refusal=("I cannot", " help with that.")),
    "nothing": Said(),
}


@dataclass(frozen=True, kw_only=True)
class Service:
    """The habits of one service."""

    ident: str = "chatcmpl-9f2c"
    model: str = "m-1"
    chunk: dict[str, Any] = field(default_factory=dict)  # in every chunk
    choice: dict[str, Any] = field(default_factory=dict)  # in every choice
    delta: dict[str, Any] = field(default_factory=dict)  # in every delta
    first: dict[str, Any] | None = None  # the delta of the first chunk
    last: dict[str, Any] = field(default_factory=dict)  # in the choice that ends it
    before: tuple[str, ...] = ()  # lines before the first chunk
    reasoning: tuple[str, ...] = ()  # the names of the field, none where it does not reason
    whole_calls: bool = False  # each call in one piece
    calls: bool = True
    refuses: bool = False
    call_id: str = "call_{}a8"
    usage: str = "chunk"  # of its own, or the last, or each, or in x_groq
    counts: dict[str, Any] = field(default_factory=dict)  # in the usage
    finishes: dict[str, str] = field(default_factory=dict)  # its own names of them
    done: bool = True

    def gives(self, said: Said) -> bool:
        """Whether it can give that answer."""
        if said.reasoning and not self.reasoning:
            return False
        return (self.calls or not said.calls) and (self.refuses or not said.refusal)

    def stream(self, said: Said) -> bytes:
        """The bytes of the body."""
        lines = [*self.before]
        lines += [f"data: {json.dumps(chunk, ensure_ascii=False)}" for chunk in self._chunks(said)]
        if self.done:
            lines.append("data: [DONE]")
        return "".join(f"{line}\n\n" for line in lines).encode()

    def _chunks(self, said: Said) -> Iterator[dict[str, Any]]:
        if self.first is not None:
            yield self._chunk(self.first)
        for piece in said.reasoning:
            yield self._chunk({**dict.fromkeys(self.reasoning, piece)}, content=None)
        for piece in said.text:
            yield self._chunk({"content": piece})
        for piece in said.refusal:
            yield self._chunk({"refusal": piece})
        for number, (name, pieces) in enumerate(said.calls):
            yield from map(self._chunk, self._call(number, name, pieces))
        used = self._used(said)
        finish = self.finishes.get(said.finish, said.finish)
        last = self._chunk({}, finish=finish)
        if self.usage == "last":
            last["usage"] = used
        if self.usage == "x_groq":
            last["x_groq"] = {"id": "req_01", "usage": used}
        yield last
        if self.usage == "chunk":
            yield {**self._chunk({}), "choices": [], "usage": used}

    def _chunk(
        self, delta: dict[str, Any], content: Any = "", finish: str | None = None
    ) -> dict[str, Any]:
        base = {**self.delta}
        if "content" in base and content is None and self.reasoning == ("reasoning_content",):
            base["content"] = None
        choice = {"index": 0, "delta": {**base, **delta}, "finish_reason": finish, **self.choice}
        if finish:
            choice |= self.last
        chunk = {
            "id": self.ident,
            "object": "chat.completion.chunk",
            "created": 1764590000,
            "model": self.model,
            "choices": [choice],
            **self.chunk,
        }
        if self.usage == "each":
            chunk["usage"] = self._used(Said())
        return chunk

    def _call(self, number: int, name: str, pieces: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        opening = {"index": number, "id": self.call_id.format(number), "type": "function"}
        if self.whole_calls:
            function = {"name": name, "arguments": "".join(pieces)}
            yield {"tool_calls": [{**opening, "function": function}]}
            return
        yield {"tool_calls": [{**opening, "function": {"name": name, "arguments": ""}}]}
        for piece in pieces:
            yield {"tool_calls": [{"index": number, "function": {"arguments": piece}}]}

    def _used(self, said: Said) -> dict[str, Any]:
        used = {"prompt_tokens": 90, "completion_tokens": 12, "total_tokens": 102}
        if said.cached:
            used["prompt_tokens_details"] = {"cached_tokens": said.cached}
        return {**used, **self.counts}


_OPENAI_DELTA = {"role": "assistant", "content": "", "refusal": None}
_AZURE_BEFORE = json.dumps(
    {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    }
)

SERVICES = {
    "openai": Service(
        model="gpt-5.5-2026-04-23",
        chunk={"service_tier": "default", "system_fingerprint": "fp_1", "obfuscation": "x7Qa"},
        choice={"logprobs": None},
        first=_OPENAI_DELTA,
        refuses=True,
        counts={
            "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
        },
    ),
    "azure": Service(
        model="gpt-5.5",
        before=(f"data: {_AZURE_BEFORE}",),
        choice={"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}},
        first=_OPENAI_DELTA,
        refuses=True,
    ),
    "groq": Service(
        chunk={"system_fingerprint": "fp_2", "x_groq": {"id": "req_01"}},
        choice={"logprobs": None},
        first={"role": "assistant", "content": None},
        reasoning=("reasoning",),
        whole_calls=True,
        usage="x_groq",
    ),
    "mistral": Service(
        ident="cmpl-e5cc",
        first={"role": "assistant", "content": ""},
        whole_calls=True,
        call_id="D681Pe{}jX",
        usage="last",
        finishes={"length": "model_length"},
    ),
    "deepseek": Service(
        before=(": keep-alive",),
        chunk={"system_fingerprint": "fp_3"},
        choice={"logprobs": None},
        first={"role": "assistant", "content": None, "reasoning_content": ""},
        delta={"content": ""},
        reasoning=("reasoning_content",),
        usage="last",
        counts={"prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 26},
    ),
    "xai": Service(
        delta={"role": "assistant"},
        reasoning=("reasoning_content",),
        whole_calls=True,
        counts={
            "total_tokens": 402,  # with the reasoning, which completion_tokens are without
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
    ),
    "openrouter": Service(
        ident="gen-1764590000",
        before=(": OPENROUTER PROCESSING", ": OPENROUTER PROCESSING"),
        chunk={"provider": "Someone"},
        choice={"logprobs": None},
        delta={"role": "assistant", "content": ""},
        last={"native_finish_reason": "STOP"},
        reasoning=("reasoning",),
        call_id="toolu_{}vrtx",
    ),
    "together": Service(
        ident="nz7-2e",
        choice={"logprobs": None, "seed": None},
        delta={"token_id": 7, "role": "assistant", "content": "", "tool_calls": None},
        usage="last",
        finishes={"stop": "eos"},
    ),
    "fireworks": Service(
        ident="c5a1",
        first={"role": "assistant"},
        reasoning=("reasoning_content",),
        usage="last",
    ),
    "ollama": Service(
        ident="chatcmpl-321",
        chunk={"system_fingerprint": "fp_ollama"},
        delta={"role": "assistant", "content": ""},
        reasoning=("reasoning",),
        whole_calls=True,
        call_id="call_{}tyq",
    ),
    "ollama_stop": Service(  # before 0.6: a call ends with "stop"
        delta={"role": "assistant", "content": ""},
        whole_calls=True,
        finishes={"tool_calls": "stop"},
    ),
    "vllm": Service(
        choice={"logprobs": None},
        first={"role": "assistant", "content": ""},
        last={"stop_reason": None},
        reasoning=("reasoning_content", "reasoning"),
        call_id="chatcmpl-tool-{}b1",
    ),
    "sglang": Service(
        first={"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
        last={"matched_stop": 151645},
        reasoning=("reasoning_content",),
    ),
    "llama_cpp": Service(
        first={"role": "assistant", "content": None},
        reasoning=("reasoning_content",),
        call_id="{}kR4Vq",
        counts={"prompt_tokens_details": {"cached_tokens": 0}},
    ),
    "gemini": Service(
        ident="VbEtafHb",
        delta={"role": "assistant"},
        whole_calls=True,
        call_id="function-call-{}",
        usage="each",
    ),
    "kimi": Service(
        first={"role": "assistant", "content": ""},
        reasoning=("reasoning_content",),
        call_id="functions.get:{}",
        usage="last",
    ),
    "no_ids": Service(first={"role": "assistant"}, call_id="", done=False),
}

CORPUS = {
    f"{service}_{answer}": habits.stream(said)
    for service, habits in SERVICES.items()
    for answer, said in ANSWERS.items()
    if habits.gives(said)
}
