"""Words that must never stand in front of a person, as patterns over a text in any case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

__all__ = ["unfit_words"]

_EVERYWHERE = {
    "a status code": r"(?<!\d)[45](\d\d|xx)(?!\d)",
    "a numbered error": r"\berror\W{0,2}(code\b|#|\d)",
    "the text of an exception": (
        r"(?-i:\b[A-Za-z]*[a-z](Error|Exception)\b)|\btraceback\b|\berrno\b|\bstack ?trace\b"
        r"|\b0x[0-9a-f]+\b|\bNoneType\b|\[object object\]|\bfailed to fetch\b"
    ),
    "the name of a provider, a model or their software": (
        r"\b(anthropic|claude|opus|sonnet|haiku|open-?ai|(chat-?)?gpt\w*|gemini|vertex|google"
        r"|bedrock|amazon|aws|azure|microsoft|mistral|groq|grok|cohere|deepseek|qwen|ollama"
        r"|litellm|langchain|hugging ?face|httpx2?|aiohttp|uvicorn|fastapi|redis|failsoft)\b"
    ),
    "jargon": (
        r"\b(apis?|sdks?|https?|json|html|urls?|dns|tls|ssl|tcp|sse|llms?|cpu|tokens?|servers?"
        r"|backend|frontend|time-?outs?|streaming|proxy|proxies|gateways?|webhooks?)\b"
    ),
}
# Ordinary words in another language: "null" is German for zero, "llama" Spanish for "call".
_ENGLISH = {
    "the name of a provider, a model or their software": r"\b(llama|meta)\b",
    "jargon": (
        r"\b(timed out|rate[ -]limit(s|ed|ing)?|quotas?|throttl\w+|upstream|endpoints?|payloads?"
        r"|databases?|latency|circuit|breakers?|retr(y|ies|ied|ying)|null|undefined|nan"
        r"|exceptions?|invalid|unauthori[sz]ed|forbidden|credentials?|authenticat\w+"
        r"|authori[sz]\w+|parameters?|config\w*|sockets?|debug\w*|crash\w*|runtime|internal"
        r"|fatal|abort\w*|prompts?|cache[ds]?|streams?|context window)\b"
    ),
}


def unfit_words(text: str, *, english: bool) -> Iterator[tuple[str, str]]:
    """What stands in ``text`` that a person should not read: its kind, and the words themselves."""
    for kind, pattern in _patterns(english=english):
        for match in pattern.finditer(text):
            yield kind, match[0]


@cache
def _patterns(*, english: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    tables = (_EVERYWHERE, _ENGLISH) if english else (_EVERYWHERE,)
    return tuple(
        (kind, re.compile(pattern, re.IGNORECASE))
        for table in tables
        for kind, pattern in table.items()
    )
