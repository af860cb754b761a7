"""Claude behind Amazon's and Google's clouds: envelopes of their documented shapes, on the wire."""

import base64
import json
from contextlib import suppress
from typing import Any
from zlib import crc32

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from loopback import Loopback, Peer, fixed, serving
from wire_kit import EVENTS, SAID, TEXT, exchange_with

from failsoft.classify import classify
from failsoft.classify.wire_errors import BadReply, ReplyFailed, StreamCut, StreamFailed
from failsoft.config.loading import load_settings
from failsoft.config.services import service_of
from failsoft.config.settings import NamedProviderSettings, Settings
from failsoft.policy.target import Target
from failsoft.providers.aws_frames import AwsFrameReader
from failsoft.providers.bedrock import BedrockWire
from failsoft.providers.protocol import ProviderCall
from failsoft.providers.vertex import VertexWire

FRAMES_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\n"
    b"x-amzn-requestid: 3c1a\r\n"
)
BODY = {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
MODEL = "anthropic.claude-opus-5-5-v1:0"
KEY_ID, SECRET = "AKIDEXAMPLE", "planted-secret"


def frame(payload: bytes, **headers: str) -> bytes:
    head = b""
    for name, value in headers.items():
        said = f":{name.replace('_', '-')}".encode()
        head += bytes([len(said)]) + said + b"\x07" + len(value).to_bytes(2) + value.encode()
    total = 12 + len(head) + len(payload) + 4
    prelude = total.to_bytes(4) + len(head).to_bytes(4)
    data = prelude + crc32(prelude).to_bytes(4) + head + payload
    return data + crc32(data).to_bytes(4)


def chunk_frame(event: bytes) -> bytes:
    data = event.partition(b"data: ")[2].strip()
    payload = json.dumps({"bytes": base64.b64encode(data).decode(), "p": "abcdef"}).encode()
    return frame(payload, event_type="chunk", content_type="application/json", message_type="event")


def exception_frame(kind: str, **fields: Any) -> bytes:
    return frame(json.dumps(fields).encode(), exception_type=kind, message_type="exception")


FRAMES = [chunk_frame(event) for event in EVENTS]


def call(model: str = MODEL, **headers: str) -> ProviderCall:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ProviderCall(target=Target(provider="p", model=model), body=BODY, headers=named)


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)


def bedrock(server: Loopback, **settings: Any) -> BedrockWire:
    own = NamedProviderSettings(base_url=server.url, region="eu-west-1", **settings)
    return BedrockWire(service_of("bedrock", Settings(providers={"bedrock": own})))


async def bedrock_outcome(reply: bytes) -> Any:
    async with serving(reply) as server:
        wire = bedrock(server)
        outcome = await exchange_with(wire, call())
        await wire.aclose()
    return outcome


@pytest.mark.usefixtures("_credentials")
async def test_bedrock_answers_in_frames_and_the_signature_holds() -> None:
    async with serving(fixed(FRAMES_HEAD, b"".join(FRAMES))) as server:
        wire = bedrock(server)
        outcome = await exchange_with(wire, call(anthropic_beta="one, two"))
        await wire.aclose()

    assert outcome.error is None
    assert outcome.text == SAID
    (request,) = server.requests
    assert request.line == f"POST /model/{MODEL}/invoke-with-response-stream HTTP/1.1"
    sent = json.loads(request.body)
    assert sent == {**BODY, "anthropic_version": "2026-10-21", "anthropic_beta": ["one", "two"]}
    assert (
        signature_of(server.url + request.line.split()[1], request)
        in (request.headers["authorization"])
    )


def signature_of(url: str, request: Any) -> str:
    """What Amazon would compute of what it was sent."""
    names = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    headers = {name: request.headers[name] for name in names.split(";")}
    again = AWSRequest(method="POST", url=url, data=request.body, headers=headers)
    again.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "bedrock", "eu-west-1")
    told = auth.string_to_sign(again, auth.canonical_request(again))
    return str(auth.signature(told, again))


async def test_a_bedrock_key_is_shown_and_nothing_is_signed() -> None:
    async with serving(fixed(FRAMES_HEAD, b"".join(FRAMES))) as server:
        wire = bedrock(server, api_key="bedrock-key")
        outcome = await exchange_with(wire, call())
        await wire.aclose()

    assert outcome.text == SAID
    assert server.requests[0].headers["authorization"] == "Bearer bedrock-key"


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("throttlingException", "rate_limited"),
        ("internalServerException", "transient"),
        ("modelStreamErrorException", "transient"),
        ("serviceUnavailableException", "transient"),
        ("modelTimeoutException", "timeout"),
        ("validationException", "permanent"),
    ],
)
async def test_an_exception_in_the_stream_is_what_it_says(kind: str, verdict: str) -> None:
    body = b"".join(FRAMES[:4]) + exception_frame(kind, message="no")
    outcome = await bedrock_outcome(fixed(FRAMES_HEAD, body))

    assert isinstance(outcome.error, StreamFailed)
    assert classify(outcome.error, provider="bedrock").category == verdict
    assert outcome.text


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fixed(FRAMES_HEAD, b"".join(FRAMES[:-1])[:-300]), StreamCut),
        (fixed(FRAMES_HEAD, b"".join(FRAMES[:4])[:-5] + b"wrong"), StreamCut),
        (fixed(FRAMES_HEAD, b"no frames at all, but text"), BadReply),
        (fixed(FRAMES_HEAD, b"\xff\xff\xff\xff" + FRAMES[0][4:]), BadReply),
        (fixed(b"HTTP/1.1 429 No\r\n", b'{"message": "Too many"}'), ReplyFailed),
    ],
    ids=["cut", "a wrong checksum", "text", "a wrong length", "an error"],
)
async def test_what_is_no_answer_is_none(reply: bytes, kind: type[Exception]) -> None:
    assert isinstance((await bedrock_outcome(reply)).error, kind)


@given(st.lists(st.integers(1, 400), max_size=30))
def test_frames_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    data, reader, events = b"".join(FRAMES), AwsFrameReader(), []
    for size in cuts:
        events += reader.feed(data[:size])
        data = data[size:]
    events += reader.feed(data)

    assert events == AwsFrameReader().feed(b"".join(FRAMES))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_otherwise(data: bytes) -> None:
    for head in (b"", FRAMES[0][:-4], FRAMES[0][:30]):
        with suppress(BadReply):
            AwsFrameReader().feed(head + data)


async def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    async with serving(b"") as server:
        wire = bedrock(server)
        outcome = await exchange_with(wire, call())
        await wire.aclose()

    assert isinstance(outcome.error, ReplyFailed)
    assert str(classify(outcome.error, provider="bedrock")) == "auth_error · authentication"
    assert server.requests == []


async def test_vertex_is_called_with_a_token_that_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async def respond(peer: Peer) -> None:
        if peer.request.line.startswith("POST /token"):
            told = b'{"access_token": "ya29.planted", "expires_in": 3600, "token_type": "Bearer"}'
            await peer.send(fixed(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", told))
        else:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            await peer.send(fixed(head, TEXT))

    async with serving(respond) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", service_account(tmp_path, server.url))
        own = NamedProviderSettings(base_url=f"{server.url}/v1", region="europe-west1")
        wire = VertexWire(service_of("vertex", Settings(providers={"vertex": own})))
        outcomes = [await exchange_with(wire, call("claude-opus-5-5")) for _ in range(2)]
        await wire.aclose()

    assert [outcome.text for outcome in outcomes] == [SAID, SAID]
    token, *asked = server.requests
    assert token.line == "POST /token HTTP/1.1"
    assert [one.headers["authorization"] for one in asked] == ["Bearer ya29.planted"] * 2
    place = "/v1/projects/my-project/locations/europe-west1/publishers/anthropic"
    assert asked[0].line == f"POST {place}/models/claude-opus-5-5:streamRawPredict HTTP/1.1"
    assert json.loads(asked[0].body) == {
        **BODY,
        "anthropic_version": "2026-10-21",
        "stream": True,
    }


def service_account(folder: Any, url: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    info = {
        "type": "service_account",
        "project_id": "my-project",
        "private_key": pem.decode(),
        "private_key_id": "1",
        "client_email": "a@my-project.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }
    path = folder / "account.json"
    path.write_text(json.dumps(info))
    return str(path)


@pytest.mark.parametrize(
    ("environ", "name", "address"),
    [
        ({"AWS_REGION": "us-east-1"}, "bedrock", "bedrock-runtime.us-east-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, "bedrock", "bedrock-runtime.eu-west-3.amazonaws.com"),
        ({"CLOUD_ML_REGION": "global"}, "vertex", "aiplatform.googleapis.com/v1"),
        ({"CLOUD_ML_REGION": "us"}, "vertex", "aiplatform.us.rep.googleapis.com/v1"),
        (
            {"CLOUD_ML_REGION": "europe-west1"},
            "vertex",
            "europe-west1-aiplatform.googleapis.com/v1",
        ),
    ],
)
def test_the_address_follows_from_the_region(
    environ: dict[str, str], name: str, address: str
) -> None:
    settings = load_settings(environ=environ).settings

    assert service_of(name, settings).base_url == f"https://{address}"
