"""Every form in which a 429 states its wait is read, and rubbish is as good as nothing."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

from case import OPUS, failure, saw, upstream

from failsoft import Failsoft

NOW = time.time()
LATER = (datetime.now(UTC) + timedelta(seconds=2000)).isoformat()
RFC850 = time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(NOW + 2000))
FORMS = {
    "retry-after: 2000": 2000,
    "retry-after: 2000.5": 2000,
    "retry-after: 2000s": 2000,
    "retry-after: 33m20s": 2000,
    "retry-after-ms: 2000000": 2000,
    f"retry-after: {formatdate(NOW + 2000, usegmt=True)}": 2000,
    f"retry-after: {formatdate(NOW + 2000)}": 2000,
    f"retry-after: {RFC850}": 2000,
    f"retry-after: {LATER}": 2000,
    f"retry-after: {int(NOW + 2000)}": 2000,
    "retry-after: -5": None,
    "retry-after: soon": None,
    "anthropic-ratelimit-requests-remaining: 0\r\n"
    f"anthropic-ratelimit-requests-reset: {LATER}": 2000,
    "anthropic-ratelimit-unified-status: rejected\r\n"
    f"anthropic-ratelimit-unified-reset: {int(NOW + 2000)}": 2000,
}
form = [""]


async def respond(peer):
    await peer.send(failure(429, "rate_limit_error", head=form[0].encode() + b"\r\n"))


async def main():
    for form[0], seconds in FORMS.items():
        async with Failsoft(chain=[OPUS]) as ai:
            wait = (await ai.ask("Hi")).attempts[0].verdict.wait_seconds
        # To the hundred: dates have whole seconds, and some have passed meanwhile.
        saw(form[0].replace("\r\n", ", "), wait and round(wait, -2), seconds)


upstream(respond, FAILSOFT_RETRY_MAX_ATTEMPTS="1")
asyncio.run(main())
