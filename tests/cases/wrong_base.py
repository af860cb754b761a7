"""A wrong address is the operator's: 503, words that say so, health not ok, named by the check."""

import json
import os
import subprocess
import sys
from pathlib import Path

from case import saw, served, upstream
from loopback import fixed

PAGE = b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\n"


async def not_found(peer):
    await peer.send(fixed(PAGE, b"<html><h1>404 Not Found</h1></html>"))


server = upstream(not_found)
with served() as call:
    for number in range(10):
        status, body = call("POST", "/api/chat", {"message": f"Question {number}"})
        told = json.loads(body)
        found = status, told["error_category"], told["error"]["primary_action_type"]
        saw(f"question {number}", found, (503, "auth_error", "contact_support"))
    health = json.loads(call("GET", "/api/health/ai")[1])
    saw("health is ok", health["status"] == "ok", right=False)
os.environ["ANTHROPIC_BASE_URL"] = f"{server.url}/v1"
check = subprocess.run(  # noqa: S603 - our own
    [Path(sys.executable).with_name("failsoft"), "config", "check"],
    capture_output=True,
    text=True,
    check=False,
)
saw("named by the check", "ANTHROPIC_BASE_URL" in check.stderr, right=True)
saw("the check ends with", check.returncode, 2)
