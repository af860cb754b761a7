"""Cuts on a bare socket: a reset is a reset, a hang-up a hang-up, an early end a proper end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from failsoft.chaos.simulator import Simulator


async def raw(sim: Simulator, *, stream: bool) -> tuple[bytes, str]:
    """Everything one request gets, and how it ended: ``reset`` or ``eof``."""
    host, port = sim.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body: dict[str, Any] = {"model": "m", "max_tokens": 99, "stream": stream}
    body["messages"] = [{"role": "user", "content": "What is a soft failure?"}]
    sent = json.dumps(body).encode()
    writer.write(
        b"POST /v1/messages HTTP/1.1\r\nhost: sim\r\nx-api-key: k\r\nconnection: close\r\n"
        b"anthropic-version: 2023-06-01\r\ncontent-length: %d\r\n\r\n" % len(sent) + sent
    )
    received = b""
    try:
        while chunk := await reader.read(65536):
            received += chunk
    except ConnectionResetError:
        return received, "reset"
    else:
        return received, "eof"
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


END = b"\r\n0\r\n\r\n"


async def test_a_healthy_stream_ends_with_its_last_event_and_chunk(sim: Simulator) -> None:
    received, how = await raw(sim, stream=True)
    assert how == "eof"
    assert received.endswith(b'data: {"type":"message_stop"}\n\n' + END)
    assert sim.requests[0].outcome == "completed"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reset_comes_before_any_byte(sim: Simulator, stream: bool) -> None:
    sim.set("m", faults=["reset"])
    assert await raw(sim, stream=stream) == (b"", "reset")
    record = sim.requests[0]
    assert (record.status, record.first_byte_s, record.outcome) == (None, None, "cut")


@pytest.mark.parametrize("after", [0, 1, 7, 10_000])
@pytest.mark.parametrize(
    ("fault", "ends", "last_chunk"),
    [("cut", "reset", False), ("close", "eof", False), ("eof", "eof", True)],
)
async def test_a_stream_breaks_off_after_so_many_contents(
    sim: Simulator, fault: str, ends: str, last_chunk: bool, after: int
) -> None:
    sim.set("m", faults=[f"{fault};after={after}"])
    received, how = await raw(sim, stream=True)
    assert how == ends
    assert received.endswith(END) == last_chunk
    assert b"event: ping" in received
    assert b"content_block_stop" not in received
    contents = received.count(b"event: content_block_delta")
    assert contents == sim.requests[0].contents
    assert contents == after or (after == 10_000 and contents > 30)
    assert (sim.requests[0].status, sim.requests[0].outcome) == (200, "cut")


@pytest.mark.parametrize(
    ("fault", "ends", "last_chunk"),
    [("cut", "reset", False), ("close", "eof", False), ("eof", "eof", True)],
)
async def test_a_plain_reply_breaks_off_in_the_middle_of_its_json(
    sim: Simulator, fault: str, ends: str, last_chunk: bool
) -> None:
    sim.set("m", faults=[fault])
    received, how = await raw(sim, stream=False)
    assert how == ends
    assert received.endswith(END) == last_chunk
    assert b'{"id":"msg_' in received
    assert b"stop_reason" not in received


async def test_an_error_event_ends_a_stream_in_good_order(sim: Simulator) -> None:
    sim.set("m", faults=["error_event;after=1"])
    received, how = await raw(sim, stream=True)
    assert how == "eof"
    assert received.count(b"event: content_block_delta") == 1
    assert received.endswith(
        b'event: error\ndata: {"type":"error","error":{"details":null,"type":"overloaded_error",'
        b'"message":"Overloaded"},"request_id":"%s"}\n\n'
        % sim.requests[0].request_id.encode()
        + END
    )
    assert sim.requests[0].outcome == "completed"


async def test_cut_json_in_a_stream_is_half_an_event(sim: Simulator) -> None:
    sim.set("m", faults=["cut_json"])
    received, how = await raw(sim, stream=True)
    assert how == "eof"
    data = received.split(b"event: content_block_delta\ndata: ")[1].split(b"\n")[0]
    assert data.startswith(b"{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(data)


@pytest.mark.parametrize("stream", [True, False])
async def test_empty_is_a_200_without_a_body(sim: Simulator, stream: bool) -> None:
    sim.set("m", faults=["empty"])
    received, how = await raw(sim, stream=stream)
    head, _, body = received.partition(b"\r\n\r\n")
    assert (how, body) == ("eof", b"0\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert (b"text/event-stream" in head) == stream
