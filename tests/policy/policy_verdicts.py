"""Verdicts built by hand from the truth table, and targets that share scopes."""

from dataclasses import replace
from typing import Any

from failsoft.classify.verdict import (
    BenchScope,
    BreakerEffect,
    ErrorCategory,
    Fault,
    NextModel,
    OtherProvider,
    RetrySame,
    Sent,
    Verdict,
)
from failsoft.policy.target import Target

# name: category, same target, next model, other provider, breaker, fault, scope, sent
_TABLE = """
overloaded        transient      yes        yes           yes           counts   S target  no
server_error      transient      yes        yes           yes           counts   S target  maybe
unavailable       transient      yes        yes           yes           counts   S target  no
connection        transient      yes        no            yes           counts   N host    maybe
stream_cut        transient      yes        yes           yes           counts   N target  maybe
conflict          transient      once       no            no            no       O target  maybe
saturated         transient      own_queue  no            no            no       O target  no
requests          rate_limited   after_wait other_family  yes           bench    O family  no
rate_limited      rate_limited   after_wait yes           yes           bench    O family  no
upstream          timeout        once       yes           yes           counts   S target  maybe
no_answer         timeout        never      yes           yes           counts   S target  maybe
no_answer_short   timeout        never      yes           yes           no       U target  maybe
deadline          timeout        never      no            no            no       U target  maybe
billing           auth_error     never      no            yes           park     O account no
authentication    auth_error     never      no            yes           park_key O account no
permission        auth_error     never      no            yes           no       O target  no
suspended         auth_error     never      no            no            park     O account no
model_unavailable permanent      never      yes           yes           park     O target  no
bad_request       permanent      never      no            no            no       O target  no
context_too_long  permanent      never      larger_window larger_window no       U target  no
not_implemented   permanent      never      no            yes           no       O target  no
connection_setup  auth_error     once       no            yes           counts   O host    no
wrong_address     auth_error     never      no            yes           counts   O host    no
content_policy    content_policy never      no            no            no       U target  maybe
refusal           content_policy never      opt_in        no            no       U target  maybe
bad_reply         unknown        once       yes           yes           counts   S target  maybe
unknown           unknown        once       yes           yes           counts   S target  maybe
unknown_status    unknown        never      yes           yes           no       S target  maybe
"""

_FAULTS = {"U": Fault.USER, "O": Fault.OPERATOR, "S": Fault.PROVIDER, "N": Fault.NETWORK}


def _verdict(row: str) -> tuple[str, Verdict]:
    name, category, same, model, other, breaker, fault, scope, sent = row.split()
    reason = {"no_answer_short": "no_answer", "unknown_status": "unknown"}.get(name, name)
    return name, Verdict(
        category=ErrorCategory(category),
        reason=reason,
        retry_same=RetrySame(same),
        try_next_model=NextModel(model),
        try_other_provider=OtherProvider(other),
        breaker=BreakerEffect(breaker),
        fault=_FAULTS[fault],
        bench_scope=BenchScope(scope),
        sent=Sent(sent),
    )


VERDICTS = dict(_verdict(row) for row in _TABLE.strip().splitlines())


def verdict(name: str, **changes: Any) -> Verdict:
    return replace(VERDICTS[name], **changes)


def target(model: str, provider: str = "anthropic", **changes: Any) -> Target:
    """A target of its own family, on its provider's one host and account."""
    fields = {"family": model, "account": provider, "host": f"{provider}.example"}
    return Target(provider=provider, model=model, **(fields | changes))


OPUS, SONNET, HAIKU = target("opus"), target("sonnet"), target("haiku")
OTHER = target("gpt", "openai")
CHAIN = (OPUS, SONNET, HAIKU)
