"""``failsoft token``: the right to have requests fail on purpose."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from failsoft.chaos.inject import make_token
from failsoft.cli.options import ConfigFile, load
from failsoft.cli.terminal import output
from failsoft.cli.trouble import CommandError, tell

__all__ = ["token"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 30


def token(
    *,
    valid: Annotated[
        str, typer.Option(metavar="TIME", help="From now on: 90s, 15m, 1h, at most 30d.")
    ] = "1h",
    config: ConfigFile = None,
) -> None:
    """Print a token for X-Simulate-Token; whoever has it may have requests fail on purpose."""
    key = load(config).settings.simulate_token_key
    if key is None:
        raise CommandError(
            "no key to sign with: set FAILSOFT_SIMULATE_TOKEN_KEY to the one that the service has"
        )
    expires_at = time.time() + _seconds(valid)
    tell(f"valid until {datetime.fromtimestamp(expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC")
    output().print(make_token(key, expires_at=expires_at), soft_wrap=True, highlight=False)


def _seconds(valid: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", valid.strip())
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_DAYS * _UNITS["d"]:
        raise CommandError(f"--valid must be like 90s, 15m, 1h or 7d, at most {_LONGEST_DAYS}d")
    return seconds
