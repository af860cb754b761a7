"""A proxy that cannot be used is refused by its variable; one that says 407 is the operator's."""

import asyncio
import os

from case import failure, saw, upstream

from failsoft import Failsoft, SettingError


async def wants_a_password(peer):
    await peer.send(failure(407, "proxy", head=b"proxy-authenticate: Basic realm=x\r\n"))


def refused(variable, proxy):
    os.environ[variable] = proxy
    try:
        Failsoft()
    except SettingError as error:
        return str(error).partition(":")[0]
    finally:
        del os.environ[variable]
    return "not refused"


async def ask():
    async with Failsoft() as ai:
        return await ai.ask("Hi")


server = upstream(wants_a_password)
os.environ["ANTHROPIC_BASE_URL"] = "https://api.anthropic.invalid"
saw("SOCKS, for everything", refused("ALL_PROXY", "socks5://127.0.0.1:1080"), "ALL_PROXY")
saw("a misspelt address", refused("HTTPS_PROXY", "http//127.0.0.1:80"), "HTTPS_PROXY")
for scheme in ("https", "http"):
    os.environ["ANTHROPIC_BASE_URL"] = f"{scheme}://api.anthropic.invalid"
    os.environ[f"{scheme.upper()}_PROXY"] = server.url
    answer = asyncio.run(ask())
    saw(f"407 of an {scheme} proxy", str(answer.verdict), "auth_error · connection_setup")
    saw("whose it is", answer.verdict.fault.value, "operator")
    saw("what the person can do", answer.notice.primary_action_type, "contact_support")
