"""What came in and what became of it, for counting duplicates and herds."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from failsoft.chaos.simulator.time import Clock

__all__ = ["Journal", "JournalRecord", "Outcome"]

Outcome = Literal["open", "completed", "cut", "client_gone"]

_PROMPT_SHOWN = 80


@dataclass(slots=True, kw_only=True)
class JournalRecord:
    """One request. Times are seconds since the simulator's start; ``None`` is not yet, or never.

    ``number`` counts the requests to the model from 1, ``fault`` is what struck, ``contents`` the
    contents that were sent. ``outcome``: ``open`` while it is in flight, ``completed`` when the
    whole reply (an error as well) was sent, ``cut`` when the simulator broke it off,
    ``client_gone`` when the client left first. ``prompt_sha256`` is of system, tools and messages
    together.
    """

    request_id: str
    path: str
    arrived_s: float
    first_byte_s: float | None = None
    ended_s: float | None = None
    model: str | None = None
    number: int | None = None
    stream: bool | None = None
    fault: str | None = None
    status: int | None = None
    outcome: Outcome = "open"
    contents: int = 0
    prompt_sha256: str | None = None
    prompt_start: str | None = None

    def describe_prompt(self, *, prompt: str, question: str) -> None:
        """Keep the whole prompt's hash, to find duplicates, and the question's beginning."""
        self.prompt_sha256 = hashlib.sha256(prompt.encode()).hexdigest()
        self.prompt_start = question[:_PROMPT_SHOWN]


class Journal:
    """The last ``limit`` requests, oldest first; ``dropped`` says how many older ones are gone."""

    def __init__(self, *, clock: Clock, seed: int, limit: int) -> None:
        self._clock = clock
        self._seed = seed
        self._records: deque[JournalRecord] = deque(maxlen=limit)
        self._seen = 0
        self._cleared = 0

    def open(self, path: str) -> JournalRecord:
        """Note a request that has just arrived, and give it its id."""
        self._seen += 1
        digest = hashlib.sha256(f"{self._seed}/{self._seen}".encode()).hexdigest()
        record = JournalRecord(
            request_id=f"req_011C{digest[:20]}", path=path, arrived_s=self._clock.now()
        )
        self._records.append(record)
        return record

    @property
    def records(self) -> list[JournalRecord]:
        """The requests still held, in order of arrival."""
        return list(self._records)

    def clear(self) -> None:
        """Forget all requests so far; those in flight too."""
        self._cleared = self._seen
        self._records.clear()

    def as_json(self) -> dict[str, Any]:
        """The journal as the body of ``GET /_sim/requests``."""
        return {
            "started_at": self._clock.started_at,
            "dropped": self._seen - self._cleared - len(self._records),
            "requests": [self._row(record) for record in self._records],
        }

    def _row(self, record: JournalRecord) -> Mapping[str, Any]:
        row = {field.name: getattr(record, field.name) for field in fields(record)}
        for moment in ("arrived", "first_byte", "ended"):
            seconds = row[f"{moment}_s"]
            row[f"{moment}_at"] = None if seconds is None else self._clock.epoch(seconds)
        return row
