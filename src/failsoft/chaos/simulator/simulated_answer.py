"""What the simulated model says: the same to the same prompt, for the same seed.

Calls and answers are those of no dialect: :class:`.WireDialect` reads the one and writes the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import Any, Final, Literal

from failsoft.chaos.simulator.schema_instance import instance_of

__all__ = [
    "BadCallError",
    "Block",
    "SimulatedAnswer",
    "SimulatedCall",
    "SimulatedTool",
    "StopReason",
    "chosen_tools",
    "compose",
    "prompt_tokens",
]


_CHARS_A_TOKEN: Final = 4

StopReason = Literal[
    "content_filter",
    "end_turn",
    "max_tokens",
    "model_context_window_exceeded",
    "pause_turn",
    "refusal",
    "tool_use",
]


class BadCallError(Exception):
    """The API would not take this request: the ``status`` and the message it would answer with.

    ``param`` is the field that is wrong, ``code`` the kind of mistake, where a dialect has them.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTool:
    """A tool, and the JSON schema of its input."""

    name: Any
    schema: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCall:
    """One request. ``question`` is the text of its last message, ``tools`` are those it uses.

    ``schema`` is the JSON schema that the answer has to fit, None for prose; ``max_tokens`` None
    is no limit. ``choices`` alike answers are wanted; ``stream_usage``: with the usage at the end.
    """

    model: str
    max_tokens: int | None
    stream: bool
    prompt: str
    question: str
    input_tokens: int
    thinking: bool
    tools: tuple[SimulatedTool, ...] = ()
    schema: Any = None
    choices: int = 1
    stream_usage: bool = True


def prompt_tokens(prompt: str) -> int:
    """About as many tokens as a prompt has, and never none."""
    return max(1, len(prompt) // _CHARS_A_TOKEN)


def chosen_tools(
    tools: Sequence[SimulatedTool],
    *,
    choice: Literal["auto", "any", "none"] | SimulatedTool,
    question: str,
    answers_tools: bool,
    parallel: bool,
) -> tuple[SimulatedTool, ...]:
    """The tools that a call uses: the forced one, or those that the question names.

    With ``any`` and none named it is the first. Results of tools (``answers_tools``) are answered
    with text unless a tool is forced.
    """
    if isinstance(choice, SimulatedTool):
        return (choice,)
    if choice == "none" or (choice == "auto" and answers_tools):
        return ()
    named = [tool for tool in tools if _names(question, tool.name)]
    if choice == "any" and not named:
        named = list(tools[:1])
    return tuple(named if parallel else named[:1])


def _names(question: str, tool: Any) -> bool:
    pattern = rf"(?<!\w){re.escape(str(tool))}(?!\w)"
    return isinstance(tool, str) and tool != "" and re.search(pattern, question) is not None


_WORDS: Final = 40
_ECHOED: Final = 8
_SENTENCES: Final = (
    "The short answer is that it depends on the figures you start from.",
    "Begin with what is known for certain and write it down.",
    "Each step can be checked on its own before the next one begins.",
    "Most of the difficulty lies in the details that are easy to overlook.",
    "A small example usually settles whether the idea holds.",
    "Two things matter here: what changes, and what must stay the same.",
    "If the first attempt fails, the reason is worth more than the result.",
    "Compare both cases side by side and the difference becomes plain.",
    "Nothing in this needs to be decided today.",
    "Ask someone who did this last year what surprised them.",
)
_THOUGHT: Final = "The question is clear enough, so a plain answer in a few sentences will do."


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One part of an answer, in the pieces in which it is streamed.

    ``digest`` makes ids and signatures; ``name`` is a tool's, whose pieces are the JSON of its
    input.
    """

    kind: Literal["text", "thinking", "tool_use"]
    pieces: tuple[str, ...]
    digest: str
    name: Any = None

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnswer:
    """A whole answer, before a dialect puts it on the wire; ``created`` is epoch seconds."""

    call: SimulatedCall
    digest: str
    blocks: tuple[Block, ...]
    stop_reason: StopReason
    created: int = 0

    @property
    def contents(self) -> int:
        """The pieces of its text, thinking and tools' input."""
        return sum(len(block.pieces) for block in self.blocks)

    @property
    def output_tokens(self) -> int:
        """One token for each piece, and never none: so the API counts an empty answer."""
        return max(1, self.contents)

    def stopped(self, reason: StopReason, *, after: int) -> SimulatedAnswer:
        """The same answer, ended by the model itself after so many contents."""
        blocks: list[Block] = []
        for block in self.blocks:
            if after <= 0:
                break
            whole = after >= len(block.pieces) or block.kind != "text"
            blocks.append(block if whole else replace(block, pieces=block.pieces[:after]))
            after -= len(block.pieces)
        return replace(self, blocks=tuple(blocks), stop_reason=reason)


def compose(call: SimulatedCall, *, seed: int, created: int = 0) -> SimulatedAnswer:
    """Answer a call: thinking first if it is enabled, then its tools' input, or text."""
    digest = sha256(f"{seed}/{call.model}/{call.prompt}".encode()).hexdigest()
    blocks = [_block("thinking", _words(_THOUGHT), digest)] if call.thinking else []
    reason: StopReason = "tool_use"
    if call.tools:
        blocks += [_used(tool, call.question, digest, n) for n, tool in enumerate(call.tools)]
    else:
        pieces = _said(call, Random(digest))  # noqa: S311 - repeatable, not secret
        room = len(pieces)
        if call.max_tokens is not None:
            room = max(1, call.max_tokens - sum(len(block.pieces) for block in blocks))
        reason = "end_turn" if len(pieces) <= room else "max_tokens"
        blocks.append(_block("text", pieces[:room], digest))
    return SimulatedAnswer(
        call=call, digest=digest, blocks=tuple(blocks), stop_reason=reason, created=created
    )


def _block(
    kind: Literal["text", "thinking", "tool_use"],
    pieces: Sequence[str],
    digest: str,
    name: Any = None,
) -> Block:
    return Block(kind=kind, pieces=tuple(pieces), digest=digest, name=name)


def _used(tool: SimulatedTool, question: str, digest: str, n: int) -> Block:
    own = digest[22:] if n == 0 else sha256(f"{digest}/{n}".encode()).hexdigest()
    return _block("tool_use", _json(tool.schema, question), own, tool.name)


def _said(call: SimulatedCall, rng: Random) -> list[str]:
    if call.schema is not None:
        return _json(call.schema, call.question)
    return _words(_text(call.question, rng))


def _text(question: str, rng: Random) -> str:
    echo = " ".join(question.split()[:_ECHOED])
    parts = [f"You asked: “{echo}”."]
    for sentence in rng.sample(_SENTENCES, len(_SENTENCES)):
        if sum(len(part.split()) for part in parts) >= _WORDS:
            break
        parts.append(sentence)
    return " ".join(parts)


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


def _json(schema: Any, question: str) -> list[str]:
    value = instance_of(schema, text=question)
    return re.findall(r"(?s).{1,12}", json.dumps(value, ensure_ascii=False))
