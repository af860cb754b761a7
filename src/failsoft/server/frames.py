"""Events as they go out, and what can be read back from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from failsoft.server.wire import json_bytes

__all__ = ["DONE", "HEARTBEAT", "Shown", "frame_of", "shown_in", "text_frame"]

DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": still here\n\n"


def frame_of(number: int, data: dict[str, Any]) -> bytes:
    """One event."""
    return b"id: %d\ndata: %b\n\n" % (number, json_bytes(data))


def text_frame(number: int, text: str) -> bytes:
    """The event of some text, as :func:`frame_of` would make it: there is none more often."""
    return b'id: %d\ndata: {"type":"text","text":%b}\n\n' % (number, json_bytes(text))


@dataclass(slots=True)
class Shown:
    """What a reader of some frames has seen: its text events, and the last status."""

    texts: list[str] = field(default_factory=list)
    status: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """All of the text."""
        return "".join(self.texts)


def shown_in(frames: bytes) -> Shown:
    """Read back what ``frames``, of one run, showed."""
    shown = Shown()
    for data in _data_of(frames):
        if data["type"] == "text":
            shown.texts.append(data["text"])
            shown.status = None  # what was said of the wait is over
        elif data["type"] == "status":
            shown.status = data
    return shown


def _data_of(frames: bytes) -> Iterator[dict[str, Any]]:
    for frame in frames.split(b"\n\n"):
        _, _, data = frame.partition(b"\ndata: ")
        if data:
            yield json.loads(data)
