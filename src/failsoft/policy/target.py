"""One provider and model that can be called."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One provider + model (+ account) that can be called.

    Targets that share a limit share a scope: ``family`` (rate limits are pooled per model family),
    ``account`` (a key, a bill) and ``host`` (a dead host is dead for all its models). Windows and
    output limits are in tokens; ``None`` means not known, and nothing is then clamped or ruled out.
    """

    provider: str
    model: str
    family: str = ""
    account: str = ""
    host: str = ""
    context_window: int | None = None
    max_output_tokens: int | None = None
    accepts_prefill: bool = True
    id: str = field(init=False, compare=False)
    """``provider/model``, the name used in settings, events and metrics."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.provider}/{self.model}")

    def __hash__(self) -> int:
        # A string keeps its hash: targets are looked up several times a call.
        return hash(self.id)
