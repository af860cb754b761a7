"""The exceptions of OpenAI's SDK, made by the SDK from the bytes on the wire."""

import httpx2
import openai
import pytest
from replay import TRUSTS_NOBODY, replaying, server
from scripts.provider_failures import FAILURES

from failsoft.classify import Sent, classify

NOW = 1_000_000_000.0
QUESTION = [{"role": "user", "content": "Hi"}]
ANTHROPICS = ("bedrock", "vertex")  # not spoken by this SDK
NATIVE = ("gemini/stream", "gemini/blocked", "gemini/malformed", "gemini/safety", "gemini/sig")
SILENT = ("vllm/stream_older", "gemini/whole", "vllm/whole")  # it raises nothing


def spoken(failure):
    """What Chat Completions give: not the Responses API, and no failure that the SDK misses."""
    name = failure.recording
    other = failure.service in ANTHROPICS or "responses" in name
    return not other and not name.startswith((*NATIVE, *SILENT))


SPOKEN = [failure for failure in FAILURES if spoken(failure)]


async def sdk_failure(url, *, streamed):
    """What the SDK raises, or the completion."""
    client = openai.AsyncOpenAI(
        api_key="sk-test",
        base_url=url,
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(verify=TRUSTS_NOBODY),
    )
    async with client:
        try:
            if not streamed:
                return await client.chat.completions.create(model="m", messages=QUESTION)
            async for _ in await client.chat.completions.create(
                model="m", messages=QUESTION, stream=True
            ):
                pass
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is to be classified
            return failure


@pytest.mark.parametrize("expected", SPOKEN, ids=lambda each: each.recording)
async def test_the_sdk_shows_what_the_wire_showed(expected):
    recorded = expected.path.read_bytes()
    streamed = b"text/event-stream" in recorded.partition(b"\r\n\r\n")[0]
    async with server(replaying(recorded)) as url:
        failure = await sdk_failure(url, streamed=streamed)
    verdict = classify(failure, provider=expected.service, now=NOW)
    assert str(verdict) == str(expected.verdict)
    assert verdict.wait_seconds == expected.wait_seconds


REQUEST = httpx2.Request("POST", "http://api.example/v1/chat/completions")


def from_(outer, cause):
    outer.__cause__ = cause
    return outer


def connection_error():
    return openai.APIConnectionError(request=REQUEST)


@pytest.mark.parametrize(
    ("failure", "expected", "sent"),
    [
        (openai.APITimeoutError(REQUEST), "timeout · no_answer", Sent.MAYBE),
        (from_(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout("")),
         "transient · connection", Sent.MAYBE),
        (from_(openai.APITimeoutError(REQUEST), httpx2.PoolTimeout("")),
         "transient · saturated", Sent.NO),
        (connection_error(), "transient · connection", Sent.MAYBE),
        (from_(connection_error(), ConnectionRefusedError(111, "refused")),
         "transient · connection", Sent.NO),
        (openai.APIError("Overloaded", REQUEST, body={"code": "server_is_overloaded"}),
         "transient · overloaded", Sent.MAYBE),
        (openai.APIError("…", REQUEST, body={"message": "…", "code": 502}),
         "transient · server_error", Sent.MAYBE),
        (openai.APIError("…", REQUEST, body={"message": "something broke"}),
         "transient · server_error", Sent.MAYBE),
        (openai.APIError("unexpected EOF", REQUEST, body="unexpected EOF"),
         "transient · server_error", Sent.MAYBE),
        (openai.APIError("…", REQUEST, body={"code": "new_code_of_tomorrow"}),
         "unknown · unknown", Sent.MAYBE),
        (openai.ContentFilterFinishReasonError(), "content_policy · refusal", Sent.MAYBE),
        (openai.OpenAIError("Missing credentials. Please pass an `api_key`"),
         "auth_error · authentication", Sent.NO),
    ],
)  # fmt: skip
def test_exceptions_without_a_reply(failure, expected, sent):
    verdict = classify(failure, provider="openai", now=NOW)
    assert (str(verdict), verdict.sent) == (expected, sent)


def test_an_answer_cut_short_by_max_tokens_cannot_be_parsed_again():
    completion = openai.types.chat.ChatCompletion.model_construct(usage=None)
    failure = openai.LengthFinishReasonError(completion=completion)
    assert str(classify(failure, provider="openai", now=NOW)) == "permanent · bad_request"
