"""The documented failures of every provider, and the row of the truth table that each leads to.

docs/provider-failures.md is made from this table, and tests/classify compares each line with what
:func:`failsoft.classify.classify` says of the bytes in tests/classify/fixtures. A recording is a
reply with its head (``.http``) or one frame of an AWS stream (``.frame``); its folder is the name
of the service's preset.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from failsoft.classify import Verdict, verdict_for

__all__ = ["FAILURES", "ProviderFailure", "failure_table"]

_RECORDINGS: Final = Path(__file__).parents[1] / "tests" / "classify" / "fixtures"

_TABLE: Final = """
recording                        | row               | wait          | what it sends
openai/requests_429              | requests          | 360           | 429, `x-ratelimit-remaining-requests: 0`, `x-ratelimit-reset-requests: 6m0s`
openai/tokens_429                | tokens            | 1.5           | 429 `rate_limit_exceeded`, type `tokens`, `retry-after-ms: 1500`
openai/quota_429                 | billing           |               | 429 `insufficient_quota`
openai/overloaded_503            | overloaded        | 5             | 503 `server_is_overloaded`
openai/too_long_400              | context_too_long  |               | 400 `context_length_exceeded`
openai/policy_400                | content_policy    |               | 400 `content_policy_violation`
openai/key_401                   | authentication    |               | 401 `invalid_api_key`
openai/model_404                 | model_unavailable |               | 404 `model_not_found`
openai/filtered_200              | refusal           |               | 200, `finish_reason: content_filter`
openai/whole_200                 | success           |               | 200, `finish_reason: stop`
openai/stream_error              | server_error      |               | an event `{"error": {"type": "server_error"}}` in a stream
openai/responses_failed_limit    | rate_limited      |               | Responses: `response.failed`, `error.code: rate_limit_exceeded`
openai/responses_failed_server   | server_error      |               | Responses: `response.failed`, `error.code: server_error`
openai/responses_failed_policy   | content_policy    |               | Responses: `response.failed`, `error.code: misalignment_policy_violation`
openai/responses_error           | rate_limited      |               | Responses: a flat event `{"type": "error", "code": "rate_limit_exceeded"}`
openai/responses_filtered_200    | refusal           |               | Responses: `incomplete`, `incomplete_details.reason: content_filter`
azure/filter_400                 | content_policy    |               | 400 `content_filter`, `innererror.code: ResponsibleAIPolicyViolation`
azure/filtered_200               | refusal           |               | 200, `finish_reason: content_filter`
azure/filter_down_200            | success           |               | 200 with `content_filter_error`: the filter is down, the text is whole
azure/sentence_429               | requests          | 37            | 429, "Please retry after 37 seconds"
azure/unmeasured_429             | rate_limited      |               | 429 with limits of 0 and -1 in `x-ratelimit-*`
azure/milliseconds_429           | requests          | 8.712         | 429, `retry-after-ms: 8712`
azure/deployment_404             | model_unavailable |               | 404 `DeploymentNotFound`
gemini/minute_429                | requests          | 45.837906927  | 429 `RESOURCE_EXHAUSTED`, `RetryInfo.retryDelay: "45.837906927s"`
gemini/minute_429_list           | requests          | 45.837906927  | the same in a list of one
gemini/day_429                   | billing           |               | 429 `RESOURCE_EXHAUSTED`, a `QuotaFailure` whose `quotaId` says `PerDay`
gemini/payment_402               | billing           |               | 402
gemini/unavailable_503           | unavailable       |               | 503 `UNAVAILABLE`
gemini/key_400                   | authentication    |               | 400 `INVALID_ARGUMENT`, reason `API_KEY_INVALID`
gemini/too_long_400              | context_too_long  |               | 400, "The input token count … exceeds the maximum"
gemini/country_400               | permission        |               | 400 `FAILED_PRECONDITION` (not offered in this country)
gemini/model_404                 | model_unavailable |               | 404 `NOT_FOUND`
gemini/safety_200                | refusal           |               | 200, `finishReason: SAFETY` and kin
gemini/malformed_200             | bad_reply         |               | 200, `finishReason: MALFORMED_FUNCTION_CALL` and kin
gemini/signature_200             | bad_request       |               | 200, `finishReason: MISSING_THOUGHT_SIGNATURE`
gemini/whole_200                 | success           |               | 200, `finishReason: STOP` or `MAX_TOKENS`
gemini/blocked_200               | refusal           |               | 200, `promptFeedback.blockReason`, no candidates
gemini/compatible_filtered_200   | refusal           |               | 200 of its OpenAI-compatible endpoint, `finish_reason: content_filter`
gemini/stream_error              | unavailable       |               | an event `{"error": {"status": "UNAVAILABLE"}}` in a stream
gemini/stream_unframed_error     | server_error      |               | a JSON object without a frame after the events of a stream
vertex/exhausted_429             | rate_limited      |               | 429 `RESOURCE_EXHAUSTED` without details
vertex/denied_403                | permission        |               | 403 `PERMISSION_DENIED`
vertex/not_found_404             | model_unavailable |               | 404 `NOT_FOUND`
vertex/internal_500              | server_error      |               | 500 `INTERNAL`
vertex/unavailable_503           | unavailable       |               | 503 `UNAVAILABLE`
vertex/precondition_400          | bad_request       |               | 400 `FAILED_PRECONDITION`
vertex/token_401                 | authentication    |               | 401 `UNAUTHENTICATED`
bedrock/throttling_429           | rate_limited      |               | 429 `ThrottlingException`
bedrock/not_ready_429            | unavailable       |               | 429 `ModelNotReadyException`
bedrock/model_error_424          | unavailable       |               | 424 `ModelErrorException`, `originalStatusCode: 503`
bedrock/model_timeout_408        | upstream          |               | 408 `ModelTimeoutException`
bedrock/quota_400                | rate_limited      |               | 400 `ServiceQuotaExceededException`
bedrock/access_403               | permission        |               | 403 `AccessDeniedException`
bedrock/expired_403              | authentication    |               | 403 `ExpiredTokenException`
bedrock/not_found_404            | model_unavailable |               | 404 `ResourceNotFoundException`
bedrock/form_404                 | model_unavailable |               | 404 `FTUFormNotFilled` (the account has not asked for this model)
bedrock/model_id_400             | model_unavailable |               | 400 `ValidationException`, "The provided model identifier is invalid."
bedrock/too_long_400             | context_too_long  |               | 400 `ValidationException`, "Input is too long for requested model."
bedrock/internal_500             | server_error      |               | 500 `InternalServerException`
bedrock/unavailable_503          | unavailable       |               | 503 `ServiceUnavailableException`
bedrock/stream_throttling        | rate_limited      |               | a frame `throttlingException`
bedrock/stream_model_error       | unavailable       |               | a frame `modelStreamErrorException`, `originalStatusCode: 503`
bedrock/stream_internal          | server_error      |               | a frame `internalServerException`
bedrock/stream_timeout           | upstream          |               | a frame `modelTimeoutException`
bedrock/stream_unavailable       | unavailable       |               | a frame `serviceUnavailableException`
bedrock/stream_validation        | context_too_long  |               | a frame `validationException`, "Input is too long for requested model."
bedrock/stream_failed            | server_error      |               | a frame of message type `error`, `InternalFailure`
bedrock/guardrail_200            | refusal           |               | Converse: `stopReason: guardrail_intervened` or `content_filtered`
bedrock/malformed_200            | bad_reply         |               | Converse: `stopReason: malformed_tool_use` or `malformed_model_output`
mistral/model_400                | model_unavailable |               | 400 `unknown_model`
mistral/invalid_model_400        | model_unavailable |               | 400 `invalid_model`
mistral/rate_429                 | requests          | 12            | 429, `Retry-After: 12`
mistral/month_429                | billing           |               | 429 of a monthly limit
mistral/payment_402              | billing           |               | 402
mistral/validation_422           | bad_request       |               | 422
mistral/window_200               | window_exceeded   |               | 200, `finish_reason: model_length`
groq/flex_498                    | overloaded        |               | 498 `capacity_exceeded`
groq/tokens_429                  | tokens            | 6             | 429, type `tokens`, `retry-after: 6`
groq/stream_tokens               | tokens            | 5.289         | an event in a stream, "Please try again in 5.289s"
groq/too_large_413               | too_large         |               | 413
groq/dependency_424              | server_error      |               | 424
groq/cancelled_499               | cancelled         |               | 499: the caller has gone
groq/model_gone_400              | model_unavailable |               | 400 `model_decommissioned`
deepseek/balance_402             | billing           |               | 402, "Insufficient Balance"
deepseek/parameter_422           | bad_request       |               | 422
deepseek/overloaded_503          | unavailable       |               | 503
deepseek/resource_200            | overloaded        |               | 200, `finish_reason: insufficient_system_resource`
deepseek/model_400               | model_unavailable |               | 400, "Model Not Exist"
openrouter/in_flight_402         | requests          | 3             | 402, `metadata.limit_source: openrouter_in_flight_budget`, `Retry-After: 3`
openrouter/credits_402           | billing           |               | 402, `metadata.limit_source: openrouter_credits`
openrouter/weight_402            | billing           |               | 402 `weight_exceeds_budget`
openrouter/moderation_403        | content_policy    |               | 403 with `metadata.flagged_input`
openrouter/budget_403            | billing           |               | 403, `metadata.limit_source: openrouter_guardrail_budget`
openrouter/timeout_408           | upstream          |               | 408
openrouter/free_429              | requests          | 60            | 429, `X-RateLimit-Remaining: 0`, `X-RateLimit-Reset` in milliseconds since the epoch
openrouter/provider_502          | server_error      |               | 502: the model's own provider failed
openrouter/no_provider_503       | unavailable       | 8             | 503: none of the model's providers will do
openrouter/error_under_200       | server_error      |               | 200 with `{"error": {"code": 502}}`
openrouter/message_400           | bad_request       |               | 400 `invalid_prompt` (a role or a message it does not take)
openrouter/model_400             | model_unavailable |               | 400, "… is not a valid model ID"
openrouter/stream_502            | server_error      |               | a chunk with `finish_reason: error` and `{"error": {"code": 502}}` next to its choices
xai/rate_429                     | rate_limited      |               | 429, `error.code: 429`
xai/credits_429                  | billing           |               | 429, "used all available credits or reached its monthly spending limit"
xai/key_400                      | authentication    |               | 400, "Incorrect API key provided"
xai/model_404                    | model_unavailable |               | 404, "The model … does not exist"
vllm/dead_500                    | server_error      |               | 500 `InternalServerError`: the engine is dead
vllm/too_long_400                | context_too_long  |               | 400, "This model's maximum context length is …"
vllm/model_404                   | model_unavailable |               | 404 `NotFoundError`, `param: model`
vllm/older_400                   | bad_request       |               | 400 `{"object": "error"}` (older releases)
vllm/stream_error                | server_error      |               | an error event, then `[DONE]`
vllm/stream_older_error          | server_error      |               | an event `{"object": "error"}`, then `[DONE]`
vllm/aborted_200                 | stream_cut        |               | 200, `finish_reason: abort`
sglang/stream_error              | unavailable       |               | an error event with code 503, then `[DONE]`
ollama/model_404                 | model_unavailable |               | 404 `{"error": "model … not found"}`
ollama/compatible_model_404      | model_unavailable |               | 404 of its OpenAI-compatible endpoint
ollama/busy_503                  | unavailable       |               | 503, "server busy"
ollama/stream_error              | server_error      |               | `{"error": "…"}` in a stream
together/overloaded_503          | unavailable       |               | 503
together/dynamic_429             | requests          | 2             | 429, `retry-after: 2`
fireworks/suspended_412          | billing           |               | 412: the account is suspended
fireworks/model_404              | model_unavailable |               | 404, "Model not found, inaccessible, and/or not deployed"
"""  # noqa: E501 - a table is read in lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFailure:
    """One line: what a service sends, and the row of the truth table that it leads to."""

    recording: str
    row: str
    wait_seconds: float | None
    sends: str

    @property
    def service(self) -> str:
        """The name of the service's preset; SGLang has none."""
        return self.recording.partition("/")[0]

    @property
    def path(self) -> Path:
        """The file with the bytes."""
        kinds = (_RECORDINGS / f"{self.recording}.{kind}" for kind in ("http", "frame"))
        return next(path for path in kinds if path.exists())

    @property
    def verdict(self) -> Verdict:
        """What is decided."""
        return verdict_for(self.row, wait_seconds=self.wait_seconds)


def _failure(line: str) -> ProviderFailure:
    recording, row, wait, sends = (cell.strip() for cell in line.split(" | "))
    seconds = float(wait) if wait else None
    return ProviderFailure(recording=recording, row=row, wait_seconds=seconds, sends=sends)


FAILURES: Final = tuple(map(_failure, _TABLE.strip().splitlines()[1:]))
"""Every line."""

_NAMES: Final = {
    "openai": "OpenAI",
    "azure": "Azure OpenAI",
    "gemini": "Gemini",
    "vertex": "Vertex",
    "bedrock": "Bedrock",
    "mistral": "Mistral",
    "groq": "Groq",
    "deepseek": "DeepSeek",
    "openrouter": "OpenRouter",
    "xai": "xAI",
    "vllm": "vLLM",
    "sglang": "SGLang",
    "ollama": "Ollama",
    "together": "Together",
    "fireworks": "Fireworks",
}
_MODEL: Final = {
    "yes": "next model",
    "other_family": "model of another family",
    "larger_window": "model with a larger window",
    "opt_in": "next model if the settings allow it",
}
_PROVIDER: Final = {"yes": "another provider", "larger_window": "provider with a larger window"}
_BREAKER: Final = {
    "counts": "counts for the breaker",
    "bench": "benches the {}",
    "park": "parks the {}",
    "park_key": "parks the key",
}


def failure_table() -> str:
    """The Markdown of all lines, a section for each service."""
    sections = []
    for service, name in _NAMES.items():
        lines = [_line(failure) for failure in FAILURES if failure.service == service]
        head = f"### {name}\n\n| it sends | verdict | failsoft |\n|---|---|---|\n"
        sections.append(head + "".join(lines))
    return "\n".join(sections)


def _line(failure: ProviderFailure) -> str:
    verdict = failure.verdict
    meaning = "an answer" if failure.row == "success" else f"{verdict}"
    return f"| {failure.sends} | {meaning} | {_reaction(failure.row, verdict)} |\n"


def _reaction(row: str, verdict: Verdict) -> str:
    if row in ("success", "cancelled"):
        return "passes it on"
    again = " if it is met again" if row == "rate_limited" else ""
    tries = [
        _retry(verdict),
        _MODEL.get(verdict.try_next_model, ""),
        _PROVIDER.get(verdict.try_other_provider, ""),
        _BREAKER.get(verdict.breaker, "").format(verdict.bench_scope) + again,
    ]
    return "; ".join(filter(None, tries)) or "ends the request"


def _retry(verdict: Verdict) -> str:
    if verdict.retry_same == "never":
        return ""
    wait, once = verdict.wait_seconds, " once" if verdict.retry_same == "once" else ""
    return f"retries{once} after " + (f"{wait:.4g} s" if wait else "a backoff")
