"""What only Anthropic says: the codes in ``error.details.error_code`` that bear on a call.

The rest of its vocabulary is spoken by gateways too and is in :mod:`failsoft.classify.raw_http`.
Codes are from anthropic 2.12, which names about 90; those not listed mean no more than their type.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from failsoft.classify.raw_http import RAW_HTTP
from failsoft.classify.tables import Table

__all__ = ["ANTHROPIC"]

_CODES: Final = {
    "contract_spend_limit_reached": "billing",
    "enforced_spend_limit_reached": "billing",
    "external_key_in_workspace_policy": "bad_request",
    "linked_organization_spend_limit_reached": "billing",
    "organization_on_hold": "suspended",
    "ramp_limit_exceeded": "requests",
    "request_body_timeout": "upstream",  # what a 408 says
    "request_body_too_large_after_decoding": "too_large",
    "user_profile_not_billable": "billing",
    # The organization's own rule for its administrators, not a judgement of the content.
    "workspace_policy_violation": "permission",
}

ANTHROPIC: Final[Table] = replace(RAW_HTTP, codes={**RAW_HTTP.codes, **_CODES})
"""The table of Anthropic's API."""
