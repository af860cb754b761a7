"""The event reader: any bytes, cut anywhere."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.classify.wire_errors import BadReply
from failsoft.providers.sse import ServerSentEvent, SSEReader

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.sse"))

TOKENS = [
    b"data", b"event", b"id", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n",
    b"data: x", b"event: ping\n", b"event: a\ndata: {}\n\n", b"data: {}\n\n", b"\xef\xbb\xbf",
    b"\xef", b"\xbb", "é".encode(), "😀".encode(), b"\xff", b"\x00", b"long" * 9,
]  # fmt: skip
streams = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=4), max_size=40).map(b"".join)


def read(*chunks: bytes, limit: int = 1_000_000) -> list[ServerSentEvent | str]:
    """The events of the chunks; the last is the error, where there is one."""
    reader = SSEReader(limit=limit)
    found: list[ServerSentEvent | str] = []
    try:
        for chunk in (*chunks, b""):
            found += reader.feed(chunk)
    except BadReply as error:
        found.append(error.detail)
    return found


def reference(stream: bytes) -> list[ServerSentEvent]:
    """The HTML standard, word for word and slowly."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, _ = text.split(b"\n")
    events, name, data = [], b"", b""
    for line in lines:
        if not line:
            if data:
                shown = data.removesuffix(b"\n")
                events.append(ServerSentEvent(name.decode(errors="replace"),
                                              shown.decode(errors="replace")))  # fmt: skip
            name, data = b"", b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            data += value + b"\n"
    return events


@given(streams, st.lists(st.integers(0, 200)))
def test_events_do_not_depend_on_the_cuts(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]

    assert read(*pieces) == read(stream) == reference(stream)


@given(streams, st.lists(st.integers(0, 200)), st.integers(0, 30))
def test_the_limit_does_not_depend_on_the_cuts(stream: bytes, cuts: list[int], limit: int) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]

    assert read(*pieces, limit=limit) == read(stream, limit=limit)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_real_streams_byte_by_byte(path: Path) -> None:
    stream = path.read_bytes()

    one_by_one = read(*(stream[i : i + 1] for i in range(len(stream))))

    assert one_by_one == read(stream) == reference(stream)
    assert len(one_by_one) >= 3


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"event: x\ndata: a\n\n", [("x", "a")]),
        (b"event:x\r\ndata:a\r\n\r\n", [("x", "a")]),
        (b"event: x\rdata: a\r\r", [("x", "a")]),
        (b"\xef\xbb\xbfevent: x\ndata: a\n\n", [("x", "a")]),
        (b"data: a\ndata: b\ndata\n\n", [("", "a\nb\n")]),
        (b"data:  two spaces\n\n", [("", " two spaces")]),
        (b": comment\n\n:\ndata: a\n: in between\n\n", [("", "a")]),
        (b"event: x\n\ndata: a\n\n", [("", "a")]),
        (b"data: \n\n", [("", "")]),
        (b"id: 3\nretry: 5\nfoo: bar\ndata: a\n\n", [("", "a")]),
        (b"data: \xff\xfe\n\n", [("", "\ufffd\ufffd")]),
        ("data: \u2028 \u0085\n\n".encode(), [("", "\u2028 \u0085")]),
        (b"data: a\n\ndata: cut off\n", [("", "a")]),
        (b"data: a\n\ndata: cut off", [("", "a")]),
        (b"<html>\n\n<p>502</p>\n\n", []),
        (b"", []),
    ],
)
def test_the_format(stream: bytes, events: list[tuple[str, str]]) -> None:
    assert read(stream) == events


def test_an_event_too_large_is_refused_whether_it_ends_or_not() -> None:
    small, large = b"data: a\n\n", b"data: " + b"x" * 100

    for stream in (large, large + b"\n\n", b"data: 0123456789\n" * 20, b": " + large):
        *before, error = read(small + stream, limit=64)
        assert before == [("", "a")]
        assert error == "a single event of the stream is larger than 64 bytes"


def test_the_limit_is_on_one_event_not_on_the_stream() -> None:
    assert len(read(b"event: a\ndata: 0123456789\n\n: comment\n" * 50, limit=64)) == 50


def test_once_refused_it_stays_refused() -> None:
    reader = SSEReader(limit=8)

    for chunk in (b"data: 0123456789", b"\n\n", b"data: a\n\n"):
        with pytest.raises(BadReply):
            reader.feed(chunk)


@pytest.mark.parametrize(
    ("chunk", "count"),
    [(b"event: " * 300_000, 1), (b"event: x\ndata: " * 100_000, 1), (b"x" * 64, 100_000)],
    ids=["names", "frames", "pieces"],
)
def test_reading_is_linear(chunk: bytes, count: int) -> None:
    """A reader that is quadratic in one of these takes minutes and not milliseconds."""
    assert read(*[chunk] * count, limit=10**9) == []


def test_empty_lines_by_the_million_are_one():
    """200 MB of them come as 0.2 MB of gzip: one by one they held the loop for seconds."""
    reader = SSEReader()
    blank = b"\n" * 4_000_000
    assert reader.feed(b"data: a" + blank + b"data: b" + blank) == [
        ServerSentEvent("", "a"),
        ServerSentEvent("", "b"),
    ]
    assert reader.feed(blank) == []
