"""Take secrets out of text before it is logged.

Better a word too many removed than one key too few: whatever looks like a credential goes, in any
of the forms it is met in (headers, JSON, reprs, URLs, environment lines, bare tokens).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["redact"]

_REMOVED: Final = "[removed]"

# Headers whose whole value is a credential: gone to the end of the line or of the quotes.
_HEADERS = re.compile(
    r"(?i)((?<![a-z])(?:proxy-)?authorization|(?<![a-z])(?:set-)?cookie)"
    r"""(\\?["']?\s*[:=,]\s*\(?b?)(?:(["'])(?:\\.|(?!\3).)*|[^"'\r\n]+)"""
)

# api_key=value, "token": "value", ('secret', 'value'): whatever the name begins with.
_NAMED = re.compile(
    r"""(?ix)
    ( key(?:[-_ ]?id)? | secret | token | pass(?:word|wd|phrase) | pwd | credentials?
      | sig(?:nature)? )
    ( \\?["']\s*[:=,]\s*b?\\? | \s*[:=]\s*b?\\? )
    (?: "(?:\\.|[^"\\])*(?:"|$) | '(?:\\.|[^'\\])*(?:'|$) | (?:bearer\s+)?[^\s,;&"'()]+ )
    """
)
_NAMES: Final = ("key", "secret", "token", "pass", "pwd", "credential", "sig")

_USERINFO = re.compile(r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,31}://)[^/\s?#\"']*@")

_BARE = re.compile(
    r"""(?x)
    -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|$)
  | (?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{3,}      # an Authorization value by itself
  | \bsk-[A-Za-z0-9_-]{3,}                                # Anthropic, OpenAI and those who copy
  | \b(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{12,}      # AWS key ids
  | \bAIza[A-Za-z0-9_-]{20,} | \bya29\.[A-Za-z0-9._-]+    # Google
  | \bgh[pousr]_[A-Za-z0-9]{16,} | \bxox[a-z]-[A-Za-z0-9-]+   # GitHub, Slack
  | \beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)+           # JSON web tokens
  | (?<![A-Za-z0-9/+=])(?=[^A-Z]{0,39}[A-Z])(?=[^a-z]{0,39}[a-z])(?=\D{0,39}\d)
      [A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])                 # AWS secret keys have exactly 40
  | (?<![A-Za-z0-9_+=-])(?=[A-Za-z_+=-]*\d)(?=[0-9_+=-]*[A-Za-z])[A-Za-z0-9_+=-]{32,}
    """
)
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{20}")
_MARKS: Final = ("sk-", "bearer", "basic", "eyj", "ya29", "xox", "aki", "asi", "private key")


def redact(text: str) -> str:
    """Return ``text`` with everything that looks like a credential replaced by ``[removed]``.

    Linear in the length of the text; it is not shortened.

    >>> redact("x-api-key: sk-ant-api03-abc at https://user:pw@host/?key=1")
    'x-api-key: [removed] at https://[removed]@host/?key=[removed]'
    """
    lower = text.lower()  # most texts hold no secret, and plain searches cost next to nothing
    if "auth" in lower or "cookie" in lower:
        text = _HEADERS.sub(rf"\1\2{_REMOVED}", text)
    if "://" in lower:
        text = _USERINFO.sub(rf"\1{_REMOVED}@", text)
    if any(name in lower for name in _NAMES):
        text = _NAMED.sub(rf"\1\2{_REMOVED}", text)
    if _LONG.search(text) or any(mark in lower for mark in _MARKS):
        text = _BARE.sub(_REMOVED, text)
    return text
