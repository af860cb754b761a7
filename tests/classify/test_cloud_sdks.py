"""The exceptions of botocore and google-auth: before a call, around it, and of a parsed reply."""

from types import SimpleNamespace

import botocore.eventstream
import botocore.exceptions
import botocore.loaders
import botocore.model
import botocore.parsers
import google.auth.exceptions
import pytest
from botocore.awsrequest import HeadersDict
from scripts.provider_failures import FAILURES
from test_provider_failures import failure_of

from failsoft.classify import Sent, classify

NOW = 1_000_000_000.0
BEDROCK = [each for each in FAILURES if each.service == "bedrock" and "_200" not in each.recording]
LOST = {"bedrock/stream_model_error": "transient · server_error"}  # botocore drops the status


@pytest.fixture(scope="module")
def service():
    name = "bedrock-runtime"
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(
        name, "service-2"), name)  # fmt: skip


def of_a_frame(path, service):
    operation = service.operation_model("InvokeModelWithResponseStream")
    stream = SimpleNamespace(stream=lambda: iter([path.read_bytes()]))
    shape = operation.output_shape.members["body"]
    parser = botocore.parsers.EventStreamJSONParser()
    try:
        next(iter(botocore.eventstream.EventStream(stream, shape, parser, operation.name)))
    except botocore.exceptions.EventStreamError as failure:
        return failure


def of_a_reply(path, service):
    wire, parser = failure_of(path), botocore.parsers.RestJSONParser()
    reply = {"status_code": wire.status, "headers": HeadersDict(wire.headers), "body": wire.body}
    parsed = parser.parse(reply, service.operation_model("InvokeModel").output_shape)
    shape = service.shape_for_error_code(parsed["Error"]["Code"])
    if shape is not None:  # as botocore.endpoint adds the fields of a modelled exception
        parsed |= {name: value for name, value in parser.parse(reply, shape).items()
                   if name in shape.members}  # fmt: skip
    return botocore.exceptions.ClientError(parsed, "InvokeModel")


@pytest.mark.parametrize("expected", BEDROCK, ids=lambda each: each.recording)
def test_botocore_shows_what_the_wire_showed(expected, service):
    framed = expected.path.suffix == ".frame"
    failure = (of_a_frame if framed else of_a_reply)(expected.path, service)
    verdict = classify(failure, provider="bedrock", now=NOW)
    assert str(verdict) == LOST.get(expected.recording, str(expected.verdict))
    assert verdict.http_status == (None if framed else failure_of(expected.path).status)
    assert (verdict.provider_request_id is None) is framed
    assert verdict.sent is Sent.MAYBE or not framed, "the model had begun"


DETAILS = {
    "endpoint_url": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "proxy_url": "http://proxy",
    "error": "…",
    "error_msg": "…",
    "msg": "…",
    "report": "…",
    "provider": "assume-role",
    "cred_var": "AWS_SECRET_ACCESS_KEY",
    "profile": "p",
    "name": "n",
    "region_name": "nowhere",
    "service_name": "s",
    "actual_bytes": 1,
    "expected_bytes": 2,
}
OF_BOTOCORE = [
    ("EndpointConnectionError", "transient · connection", Sent.NO),
    ("ConnectTimeoutError", "transient · connection", Sent.MAYBE),
    ("ConnectionClosedError", "transient · connection", Sent.MAYBE),
    ("ProxyConnectionError", "transient · connection", Sent.NO),
    ("HTTPClientError", "transient · connection", Sent.MAYBE),
    ("ReadTimeoutError", "timeout · no_answer", Sent.MAYBE),
    ("ResponseStreamingError", "transient · stream_cut", Sent.MAYBE),
    ("IncompleteReadError", "transient · stream_cut", Sent.MAYBE),
    ("CapacityNotAvailableError", "transient · saturated", Sent.NO),
    ("SSLError", "auth_error · connection_setup", Sent.NO),
    ("NoRegionError", "auth_error · connection_setup", Sent.NO),
    ("InvalidRegionError", "auth_error · connection_setup", Sent.NO),
    ("EndpointProviderError", "auth_error · connection_setup", Sent.NO),
    ("NoCredentialsError", "auth_error · authentication", Sent.NO),
    ("PartialCredentialsError", "auth_error · authentication", Sent.NO),
    ("CredentialRetrievalError", "auth_error · authentication", Sent.NO),
    ("TokenRetrievalError", "auth_error · authentication", Sent.NO),
    ("UnauthorizedSSOTokenError", "auth_error · authentication", Sent.NO),
    ("SSOTokenLoadError", "auth_error · authentication", Sent.NO),
    ("ProfileNotFound", "auth_error · authentication", Sent.NO),
    ("ParamValidationError", "permanent · bad_call", Sent.NO),
    ("UnknownSignatureVersionError", "permanent · bad_call", Sent.NO),
]


@pytest.mark.parametrize(("name", "expected", "sent"), OF_BOTOCORE)
def test_botocore_without_a_reply(name, expected, sent):
    failure = getattr(botocore.exceptions, name)(**{**DETAILS, "signature_version": "v9"})
    verdict = classify(failure, provider="bedrock", now=NOW)
    assert (str(verdict), verdict.sent) == (expected, sent)


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ExpiredToken", 400, "auth_error · authentication"),
        ("InvalidClientTokenId", 403, "auth_error · authentication"),
        ("SignatureDoesNotMatch", 403, "auth_error · authentication"),
        ("AccessDenied", 403, "auth_error · permission"),
        ("TooManyRequestsException", 429, "rate_limited · rate_limited"),
        ("ThrottlingException", 400, "rate_limited · rate_limited"),
        ("ServiceUnavailable", 503, "transient · unavailable"),
        ("500", 500, "transient · server_error"),
        ("SomethingNew", 418, "unknown · unknown"),
    ],
)
def test_codes_of_other_services_of_aws(code, status, expected):
    parsed = {
        "Error": {"Code": code, "Message": "…"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "r"},
    }
    failure = botocore.exceptions.ClientError(parsed, "AssumeRole")
    assert str(classify(failure, provider="bedrock", now=NOW)) == expected


OF_GOOGLE = [
    (google.auth.exceptions.DefaultCredentialsError("none found"), "authentication"),
    (google.auth.exceptions.MalformedError("no JSON"), "authentication"),
    (google.auth.exceptions.RefreshError("invalid_grant", {"error": "invalid_grant"}),
     "authentication"),
    (google.auth.exceptions.ReauthFailError("again"), "authentication"),
    (google.auth.exceptions.RefreshError("503", retryable=True), "connection"),
    (google.auth.exceptions.TransportError("no route"), "connection"),
    (google.auth.exceptions.TimeoutError("slow"), "connection"),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "reason"), OF_GOOGLE, ids=repr)
def test_google_gives_no_token(failure, reason):
    verdict = classify(failure, provider="vertex", now=NOW)
    assert (verdict.reason, verdict.sent) == (reason, Sent.NO)


def test_a_token_server_with_a_wrong_certificate_is_for_the_operator():
    failure = google.auth.exceptions.TransportError("certificate verify failed: self-signed")
    assert classify(failure, provider="vertex", now=NOW).reason == "connection_setup"
