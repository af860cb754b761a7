"""Look-alikes of the documented failures, none of which is in the table.

Other words, other statuses, a number for a string, a list, a gateway's quotation: a rule that knew
one body only would fail here.
"""

import json

import pytest

from failsoft.classify import ReplyFailed, StreamFailed, classify, verdict_for

NOW = 1_795_388_400.0  # Sun, 22 Nov 2026 23:00:00 GMT
DATE = {"Date": "Sun, 22 Nov 2026 23:00:00 GMT"}


def error(message="…", **fields):
    return {"error": {"message": message, **fields}}


def google(code, status, message="…", *details):
    return error(message, code=code, status=status, details=list(details))


def choice(finish, **more):
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **more}


def quota(*names, key="quotaId"):
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {"@type": kind, "violations": [{key: name} for name in names]}


def info(reason, **metadata):
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "metadata": metadata}


def retry(delay):
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def quoting(body, **fields):
    return error(json.dumps(body, indent=2), **fields)


def failed(code, **more):
    response = {"object": "response", "status": "failed", "error": {"code": code, "message": "…"}}
    return {"type": "response.failed", "response": {**response, **more}}


IN_FLIGHT = error("Too many requests in flight.", code=402)

# provider, status (0: an event of a stream), headers, body, row, wait
LIMITS = [
    ("openrouter", 402, {"retry-after": "11"}, IN_FLIGHT, "requests", 11),
    ("openrouter", 402, {"RETRY-AFTER": "2.5"}, [error(code="402", metadata={
        "limit_source": "openrouter_in_flight_budget"})], "requests", 2.5),
    ("openrouter", 402, {"Retry-After-Ms": "900"}, error(code=402, metadata={
        "error_type": "in_flight_budget_exhausted"}), "requests", 0.9),
    ("litellm", 402, {"Retry-After": "4"}, error("Concurrency limit of your plan reached."),
     "requests", 4),
    ("openrouter", 402, {}, IN_FLIGHT, "billing", None),
    ("openrouter", 402, {"Retry-After": "60"}, error("Insufficient credits"), "billing", None),
    ("openrouter", 402, {"Retry-After": "9"}, error("Larger than your in-flight budget", metadata={
        "error_type": "weight_exceeds_budget"}), "billing", None),
    ("openrouter", 402, {}, error("Top up", metadata={"limit_source": "openrouter_key_limit"}),
     "billing", None),
    ("openrouter", 403, {}, error("Key limit exceeded (total limit)", code=403), "billing", None),
    ("openrouter", 403, {}, error("…", code="403", metadata={
        "limit_source": "openrouter_workspace_budget"}), "billing", None),
    ("openrouter", 403, {}, error("…", code=403, metadata={"flagged_input": "x", "reasons": []}),
     "content_policy", None),
    ("openrouter", 403, {}, error("Your input was flagged for “hate”", code=403),
     "content_policy", None),
    ("openrouter", 403, {}, error("Not allowed to use this key", code=403), "permission", None),
    ("gemini", 429, {}, google(429, "RESOURCE_EXHAUSTED", "…", retry("0.250s")), "requests", 0.25),
    ("gemini", 429, {}, [google(429, "RESOURCE_EXHAUSTED", "…", info("x"), retry("57s"))],
     "requests", 57),
    ("gemini", 429, {}, quoting(google(429, "RESOURCE_EXHAUSTED", "…", retry("12.5s")),
                                code=429, status="Too Many Requests"), "requests", 12.5),
    ("gemini", 0, {}, [{"candidates": []}, google(429, "RESOURCE_EXHAUSTED", "…", retry("3s"))],
     "requests", 3),
    ("gemini", 429, {}, google(429, "RESOURCE_EXHAUSTED", "Exceeded. Please retry in 20.04s."),
     "requests", 20.04),
    ("gemini", 429, {}, google(429, "RESOURCE_EXHAUSTED", "…", quota(
        "GenerateContentInputTokensPerModelPerMinute-FreeTier")), "rate_limited", None),
    ("gemini", 429, {}, google(429, "RESOURCE_EXHAUSTED", "…", retry("21s"), quota(
        "GenerateRequestsPerDayPerProjectPerModel")), "billing", None),
    ("gemini", 429, {}, [google(429, "RESOURCE_EXHAUSTED", "…", quota(
        "generativelanguage.googleapis.com/generate_requests_per_model_per_day",
        key="quotaMetric"))], "billing", None),
    ("vertex", 429, {}, google(429, "RESOURCE_EXHAUSTED", "…", info(
        "RATE_LIMIT_EXCEEDED", quota_limit="TokensPerDayPerProject")), "billing", None),
    ("gemini", 0, {}, quoting(google(429, "RESOURCE_EXHAUSTED", "…", quota("XPerDayPerUser"))),
     "billing", None),
    ("vertex", 429, {}, [google(429, "RESOURCE_EXHAUSTED", "Too many requests")],
     "rate_limited", None),
    ("vertex", 0, {}, error(code=429, status="RESOURCE_EXHAUSTED"), "rate_limited", None),
    ("vertex", 200, {}, google("429", "RESOURCE_EXHAUSTED"), "rate_limited", None),
    ("openai", 429, {"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "8.64s"},
     error(type="requests", code="rate_limit_exceeded"), "requests", 8.64),
    ("together", 429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3s"},
     error(), "tokens", 3723),
    ("openai", 429, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m",
                     "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "15ms"},
     "", "tokens", 120),
    ("openai", 429, {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "6m0s"},
     error(), "rate_limited", None),
    ("mistral", 429, {"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "31"}, "",
     "requests", 31),
    ("openrouter", 429, {**DATE, "x-ratelimit-remaining": "0",
                         "x-ratelimit-reset": "1795388445500"}, "", "requests", 45.5),
    ("azure", 429, {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0"},
     error(code="429"), "rate_limited", None),
    ("azure", 429, {"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "0",
                    "x-ratelimit-reset-tokens": "30"}, error(code=429), "rate_limited", None),
    ("azure", 429, {"retry-after-ms": "-1", "retry-after": "-1"}, error(code="too_many_requests"),
     "rate_limited", None),
    ("azure", 429, {}, error("Too busy. Try again in 1 minute.", code="RateLimitReached"),
     "requests", 60),
    ("azure", 429, {}, error("Token rate limit met. Please wait 45 seconds.", code=429),
     "requests", 45),
    ("azure", 0, {}, error("Please retry after 250 milliseconds.", code="429"), "requests", 0.25),
    ("groq", 429, {}, error("Please try again in 2m59.56s.", type="tokens"), "tokens", 179.56),
    ("groq", 0, {}, error("Please try again in 740ms.", code="rate_limit_exceeded", type="tokens"),
     "tokens", 0.74),
    ("groq", 429, {"Retry-After": "2"}, [error(type="requests", code=429)], "requests", 2),
    ("mistral", 429, {"Retry-After": "Sun, 22 Nov 2026 23:00:12 GMT", **DATE},
     {"object": "error", "message": "…", "type": "rate_limited", "code": 1300}, "requests", 12),
    ("mistral", 429, {}, {"object": "error", "type": "service_tier_capacity_exceeded",
                          "message": "Service tier capacity exceeded.", "code": "3505"},
     "rate_limited", None),
    ("mistral", 0, {}, {"object": "error", "message": "…", "type": "rate_limited", "code": None},
     "rate_limited", None),
    ("cloudflare", 429, {}, error("You have used up your daily free allocation of 10,000 neurons."),
     "billing", None),
    ("mistral", 429, {}, error("Your monthly request quota is spent", code="x-1"), "rate_limited",
     None),
    ("mistral", 429, {}, error("Your monthly request quota is spent", code=1301), "billing", None),
    ("xai", 429, {}, error("Rate limited", code="429"), "rate_limited", None),
    ("xai", 0, {}, error("Rate limited", code=429), "rate_limited", None),
    ("xai", 429, {"retry-after": "1"}, {"code": "Too many requests", "error": "Slow down."},
     "requests", 1),
    ("bedrock", 429, {"X-Amzn-ErrorType": "TooManyRequestsException"}, {"message": "…"},
     "rate_limited", None),
    ("bedrock", 400, {}, {"__type": "com.amazon.coral.availability#ThrottlingException"},
     "rate_limited", None),
    ("bedrock", 0, {}, {"throttlingException": {"message": "…"}}, "rate_limited", None),
    ("bedrock", 400, {"x-amzn-errortype": "ServiceQuotaExceededException:"}, "", "rate_limited",
     None),
    ("openai", 0, {}, failed("rate_limit_exceeded", incomplete_details=None), "rate_limited", None),
    ("openai", 0, {}, json.dumps(failed("rate_limit_exceeded")), "rate_limited", None),
    ("openai", 200, {}, failed("rate_limit_exceeded")["response"], "rate_limited", None),
    ("openai", 0, {}, {"type": "error", "code": "rate_limit_exceeded", "param": None},
     "rate_limited", None),
]  # fmt: skip

PROVIDERS_OWN = [
    ("groq", 498, {}, "", "overloaded", None),
    ("groq", 498, {}, error("No room", code=498), "overloaded", None),
    ("groq", 0, {}, error(code="capacity_exceeded"), "overloaded", None),
    ("litellm", 429, {}, error(type="capacity_exceeded"), "overloaded", None),
    ("groq", 424, {}, error(code="424"), "server_error", None),
    ("groq", 424, {}, "", "server_error", None),
    ("groq", 0, {}, error(code=424), "server_error", None),
    ("bedrock", 424, {"x-amzn-ErrorType": "ModelErrorException"},
     {"message": "…", "originalStatusCode": 500}, "server_error", None),
    ("bedrock", 424, {}, {"Message": "…", "originalStatusCode": "529"}, "overloaded", None),
    ("bedrock", 424, {"x-amzn-errortype": "ModelErrorException"},
     {"originalStatusCode": 429}, "rate_limited", None),
    ("bedrock", 424, {"x-amzn-errortype": "ModelErrorException"},
     {"originalStatusCode": 403}, "server_error", None),
    ("bedrock", 0, {}, {"modelStreamErrorException": {"originalStatusCode": 504}}, "upstream",
     None),
    ("bedrock", 0, {":exception-type": "modelStreamErrorException"}, {"message": "…"},
     "server_error", None),
    ("bedrock", 0, {}, {"type": "error", "error": {"type": "internalServerException"}},
     "server_error", None),
    ("bedrock", 429, {}, {"__type": "ModelNotReadyException"}, "unavailable", None),
    ("bedrock", 0, {":Exception-Type": "modelTimeoutException"}, "", "upstream", None),
    ("bedrock", 408, {}, {"message": "Model processing timeout."}, "upstream", None),
    ("bedrock", 503, {}, {"message": "…"}, "unavailable", None),
    ("openai", 500, {"retry-after": "3"}, error(code="server_is_overloaded"), "overloaded", 3),
    ("openai", 503, {}, error(type="server_error", code="slow_down"), "rate_limited", None),
    ("openai", 0, {}, error(type="overloaded_error"), "overloaded", None),
    ("openai", 0, {}, {"message": "The server had an error"}, "server_error", None),
    ("openai", 0, {}, {"type": "response.failed", "response": {"status": "failed", "error": None}},
     "server_error", None),
    ("openai", 0, {}, failed("vector_store_timeout"), "upstream", None),
    ("openai", 0, {}, failed("new_code_of_tomorrow"), "unknown", None),
    ("deepseek", 503, {}, "", "unavailable", None),
    ("deepseek", 0, {}, error(code="503", type="unknown_error"), "unavailable", None),
    ("deepseek", 200, {}, {"choices": [{"message": {}, "finish_reason":
                                        "insufficient_system_resource"}]}, "overloaded", None),
    ("openrouter", 0, {}, choice("error", error={"code": 503, "message": "…"}), "unavailable",
     None),
    ("openrouter", 0, {}, choice("error", error={"code": "429", "message": "…"}), "rate_limited",
     None),
    ("openrouter", 200, {}, {"choices": [{"finish_reason": "error", "error": {"code": 502}}]},
     "server_error", None),
    ("openrouter", 0, {}, choice("error"), "server_error", None),
    ("openrouter", 200, {}, error(code=429, message="Provider returned error"), "rate_limited",
     None),
    ("openrouter", 529, {}, error("Provider returned error", code=529), "overloaded", None),
    ("openrouter", 502, {}, error(metadata={"error_type": "provider_overloaded"}), "overloaded",
     None),
    ("openrouter", 502, {}, "<html>bad gateway</html>", "server_error", None),
    ("vllm", 500, {}, error(type="Internal Server Error", code="500"), "server_error", None),
    ("vllm", 0, {}, 'data: {"error":{"code":"503","message":"…"}}\n\ndata: [DONE]\n\n',
     "unavailable", None),
    ("vllm", 0, {}, {"object": "error", "message": "…", "code": 500}, "server_error", None),
    ("vllm", 0, {}, 'data: {"object":"error","type":"ServiceUnavailableError"}\n\ndata: [DONE]',
     "unavailable", None),
    ("sglang", 503, {}, {"object": "error", "message": "The request queue is full.", "code": 503},
     "unavailable", None),
    ("ollama", 0, {}, {"error": "EOF"}, "server_error", None),
    ("ollama", 0, {}, '{"error":"llama runner process has terminated: signal: killed"}',
     "server_error", None),
    ("ollama", 0, {}, {"error": {"message": "CUDA error: out of memory"}}, "server_error", None),
    ("ollama", 0, {}, {"error": "model 'x' not found, try pulling it first"}, "model_unavailable",
     None),
    ("ollama", 500, {}, {"error": "model requires more system memory than is available"},
     "server_error", None),
    ("gemini", 0, {}, [google(503, "UNAVAILABLE")], "unavailable", None),
    ("gemini", 0, {}, 'data: {"candidates":[]}\n\n[{\n  "error": {\n    "code": 500\n  }\n}]',
     "server_error", None),
    ("gemini", 0, {}, 'data: {"error":{"status":"DEADLINE_EXCEEDED"}}\n\ndata: {"usage":{}}\n\n',
     "upstream", None),
    ("gemini", 500, {}, google(500, "UNKNOWN"), "server_error", None),
    ("vertex", 503, {}, [google(503, "UNAVAILABLE")], "unavailable", None),
    ("vertex", 500, {}, quoting(google(500, "INTERNAL")), "server_error", None),
    ("vertex", 0, {}, error(status="INTERNAL"), "server_error", None),
    ("azure", 400, {}, error(code="content_filter_error"), "server_error", None),
    ("together", 503, {}, error(type="server_error", code=None), "unavailable", None),
    ("fireworks", 503, {}, "", "unavailable", None),
    ("mistral", 0, {}, choice("error"), "server_error", None),
    ("vllm", 0, {}, choice("abort"), "stream_cut", None),
]  # fmt: skip

OPERATORS = [
    ("openai", 429, {"retry-after": "1"}, error(type="insufficient_quota", code=None), "billing",
     None),
    ("openai", 403, {}, [error(code="insufficient_quota")], "billing", None),
    ("openai", 0, {}, error(code="billing_hard_limit_reached"), "billing", None),
    ("deepseek", 402, {}, "", "billing", None),
    ("deepseek", 0, {}, error("Insufficient Balance", code=402), "billing", None),
    ("deepseek", 400, {}, error("Insufficient balance"), "billing", None),
    ("gemini", 429, {}, google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
     "billing", None),
    ("gemini", 403, {}, google(403, "PERMISSION_DENIED", "…", info("BILLING_DISABLED")), "billing",
     None),
    ("gemini", 402, {}, [google(402, "PAYMENT_REQUIRED")], "billing", None),
    ("mistral", 402, {}, "", "billing", None),
    ("xai", 403, {}, {"code": "…", "error": "Your team has used all available credits."}, "billing",
     None),
    ("xai", 429, {}, error("You reached the monthly spending limit of your team"), "billing", None),
    ("fireworks", 412, {}, "", "billing", None),
    ("fireworks", 402, {}, error(), "billing", None),
    ("openai", 401, {}, error(code=None, type="invalid_request_error"), "authentication", None),
    ("xai", 400, {}, error("Incorrect API key provided: x***y", code="400"), "authentication",
     None),
    ("xai", 403, {}, {"code": "…", "error": "Invalid API key"}, "authentication", None),
    ("gemini", 400, {}, [google(400, "INVALID_ARGUMENT", "API key expired. Please renew the key.")],
     "authentication", None),
    ("gemini", 400, {}, google(400, "INVALID_ARGUMENT", "…", info("API_KEY_INVALID")),
     "authentication", None),
    ("gemini", 400, {}, quoting(google(400, "INVALID_ARGUMENT", "API Key not valid.")),
     "authentication", None),
    ("bedrock", 403, {"x-amzn-errortype": "UnrecognizedClientException"}, {"message": "…"},
     "authentication", None),
    ("bedrock", 403, {}, {"__type": "InvalidSignatureException"}, "authentication", None),
    ("bedrock", 403, {"X-AMZN-ERRORTYPE": "AccessDenied"}, {}, "permission", None),
    ("bedrock", 400, {"x-amzn-errortype": "AccessDeniedException"}, {"Message": "…"}, "permission",
     None),
    ("vertex", 403, {}, [google(403, "PERMISSION_DENIED")], "permission", None),
    ("vertex", 403, {}, google("403", "PERMISSION_DENIED", "…", info("SERVICE_DISABLED")),
     "permission", None),
    ("gemini", 400, {}, [google(400, "FAILED_PRECONDITION", "User location is not supported")],
     "permission", None),
    ("vertex", 400, {}, [google(400, "FAILED_PRECONDITION")], "bad_request", None),
    ("azure", 404, {}, error(code="404", message="Resource not found"), "wrong_address", None),
    ("fireworks", 404, {}, error("Path not found", code="NOT_FOUND"), "wrong_address", None),
    ("ollama", 404, {}, "404 page not found", "wrong_address", None),
    ("openai", 0, {}, failed("data_residency_mismatch"), "permission", None),
]  # fmt: skip

MODELS = [
    ("mistral", 400, {}, {"object": "error", "type": "unknown_model", "code": 1500, "message": "…"},
     "model_unavailable", None),
    ("mistral", 422, {}, error(code="unknown_model"), "model_unavailable", None),
    ("mistral", 400, {}, {"message": "Invalid model: tiny", "type": "invalid_request_error"},
     "model_unavailable", None),
    ("mistral", 404, {}, [error(code="invalid_model")], "model_unavailable", None),
    ("groq", 404, {}, error("The model `x` does not exist", code="model_not_found"),
     "model_unavailable", None),
    ("groq", 400, {}, error("The model `x` has been decommissioned"), "model_unavailable", None),
    ("openai", 404, {}, error(param="model"), "model_unavailable", None),
    ("openai", 403, {}, error(code="model_not_found"), "model_unavailable", None),
    ("openai", 400, {}, error("The requested model 'gpt-x' does not exist."), "model_unavailable",
     None),
    ("azure", 404, {}, {"error": {"code": "DeploymentNotFound"}}, "model_unavailable", None),
    ("bedrock", 404, {}, {"__type": "ResourceNotFoundException"}, "model_unavailable", None),
    ("bedrock", 400, {"x-amzn-errortype": "ValidationException"},
     {"message": "Invocation of model ID x with on-demand throughput isn't supported."},
     "model_unavailable", None),
    ("vertex", 404, {}, [google(404, "NOT_FOUND")], "model_unavailable", None),
    ("deepseek", 400, {}, error("Model Not Exist", type="invalid_request_error"),
     "model_unavailable", None),
    ("openrouter", 400, {}, error("x/y is not a valid model ID", code="400"), "model_unavailable",
     None),
    ("openrouter", 404, {}, error("No endpoints found for x/y.", code=404), "model_unavailable",
     None),
    ("vllm", 404, {}, {"object": "error", "message": "…", "param": "model", "code": "404"},
     "model_unavailable", None),
    ("xai", 404, {}, {"code": "…", "error": "The model x does not exist"}, "model_unavailable",
     None),
    ("fireworks", 404, {}, error("Model not found"), "model_unavailable", None),
]  # fmt: skip

CONTENTS = [
    ("azure", 400, {}, error(innererror={"code": "ResponsibleAIPolicyViolation"}), "content_policy",
     None),
    ("azure", 400, {}, [error(code="content_filter")], "content_policy", None),
    ("azure", 0, {}, error(code="content_filter"), "content_policy", None),
    ("openai", 0, {}, failed("bio_policy"), "content_policy", None),
    ("openai", 0, {}, failed("image_content_policy_violation"), "content_policy", None),
    ("openai", 0, {}, failed("invalid_prompt"), "content_policy", None),
    ("openrouter", 400, {}, error(code="invalid_prompt"), "bad_request", None),
    ("openai", 0, {}, failed("image_too_large"), "too_large", None),
    ("openai", 0, {}, failed("invalid_base64_image"), "bad_request", None),
    ("openai", 0, {}, {"type": "response.incomplete", "response": {
        "status": "incomplete", "incomplete_details": {"reason": "content_filter"}}}, "refusal",
     None),
    ("openai", 0, {}, {"type": "response.incomplete", "response": {
        "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}}, "success",
     None),
    ("openai", 200, {}, {"object": "response", "status": "completed", "error": None}, "success",
     None),
    ("openai", 200, {}, {"object": "response", "status": "in_progress"}, "stream_cut", None),
    ("openai", 200, {}, choice("tool_calls"), "success", None),
    ("openai", 200, {}, choice(None), "stream_cut", None),
    ("openai", 200, {}, {"choices": [{"finish_reason": "stop"}, {"finish_reason": None}]},
     "stream_cut", None),
    ("openai", 200, {}, {"choices": [{"finish_reason": "stop"}, {"finish_reason": "error"}]},
     "server_error", None),
    ("azure", 200, {}, choice("content_filter"), "refusal", None),
    ("gemini", 200, {}, {"candidates": [{"finishReason": "RECITATION"}]}, "refusal", None),
    ("gemini", 200, {}, [{"candidates": [{"finishReason": "IMAGE_SAFETY"}]}], "refusal", None),
    ("gemini", 0, {}, 'data: {"candidates":[{"finishReason":"SPII"}]}\n\n', "refusal", None),
    ("gemini", 200, {}, {"candidates": [{"finishReason": "OTHER"}]}, "bad_reply", None),
    ("gemini", 200, {}, {"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL"}]}, "bad_reply",
     None),
    ("gemini", 200, {}, {"candidates": [{"finishReason": "MAX_TOKENS"}]}, "success", None),
    ("gemini", 200, {}, {"candidates": [{"content": {"parts": []}}]}, "stream_cut", None),
    ("gemini", 200, {}, {"promptFeedback": {"blockReason": "OTHER"}}, "refusal", None),
    ("bedrock", 0, {}, {"messageStop": {"stopReason": "content_filtered"}}, "refusal", None),
    ("bedrock", 200, {}, {"stopReason": "malformed_model_output"}, "bad_reply", None),
    ("bedrock", 200, {}, {"stopReason": "end_turn"}, "success", None),
    ("vllm", 400, {}, error("The engine prompt length 9000 exceeds the max_model_len 8192."),
     "context_too_long", None),
    ("sglang", 400, {}, {"object": "error", "code": 400, "message":
     "The input (9000 tokens) is longer than the model's context length (8192 tokens)."},
     "context_too_long", None),
    ("mistral", 400, {}, {"object": "error", "code": "3051", "type": "invalid_request_error",
     "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
     "maximum context length"}, "context_too_long", None),
    ("gemini", 400, {}, [google(400, "INVALID_ARGUMENT", "The input token count exceeds the maximum"
                                " number of tokens allowed 1048575.")], "context_too_long", None),
    ("bedrock", 0, {":exception-type": "validationException"},
     {"message": "prompt is too long: 3 tokens > 2 maximum"}, "context_too_long", None),
    ("litellm", 400, {}, quoting(error(code="context_length_exceeded"), code="400"),
     "context_too_long", None),
    ("groq", 413, {}, "", "too_large", None),
    ("groq", 413, {}, error(code="request_too_large"), "too_large", None),
    ("groq", 400, {}, error("Extra inputs", type="invalid_request_error"), "bad_request", None),
    ("mistral", 422, {}, {"detail": [{"loc": ["body"], "msg": "Field required"}]}, "bad_request",
     None),
    ("deepseek", 422, {}, error("Failed to deserialize"), "bad_request", None),
    ("groq", 499, {}, "", "cancelled", None),
]  # fmt: skip

VARIANTS = [*LIMITS, *PROVIDERS_OWN, *OPERATORS, *MODELS, *CONTENTS]


def failure_of(status, headers, body):
    raw = body if isinstance(body, str) else json.dumps(body)
    if status == 0:
        return StreamFailed("", status=200, headers=headers, body=raw)
    return ReplyFailed("", status=status, headers=headers, body=raw.encode())


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: f"{each[0]}-{each[1]}-{each[4]}")
def test_look_alikes(variant):
    provider, status, headers, body, row, wait = variant
    verdict = classify(failure_of(status, headers, body), provider=provider, now=NOW)
    expected = verdict_for(row)
    assert (str(verdict), verdict.try_next_model) == (str(expected), expected.try_next_model)
    assert verdict.wait_seconds == wait
