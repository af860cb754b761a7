"""The rows of the code against the truth table as it is specified, written out."""

import pytest

from failsoft.classify import REASONS, ErrorCategory, Sent, Verdict, truth_table, verdict_for

# name: category · reason | same | next model | provider | breaker | fault | scope | sent
SPECIFIED = """
overloaded:        transient · overloaded           | yes yes yes counts provider | target no
server_error:      transient · server_error         | yes yes yes counts provider | target maybe
unavailable:       transient · unavailable          | yes yes yes counts provider | target no
connection:        transient · connection           | yes no yes counts network | host maybe
hung_up:           transient · connection           | yes yes yes counts network | host maybe
stream_cut:        transient · stream_cut           | yes yes yes counts network | target maybe
conflict:          transient · conflict             | once no no no operator | target maybe
saturated:         transient · saturated            | own_queue no no no operator | target no
all_open:          transient · all_open             | never no no no provider | target no
requests:          rate_limited · requests          | after_wait other_family yes bench operator | family no
tokens:            rate_limited · tokens            | after_wait other_family yes bench operator | family no
rate_limited:      rate_limited · rate_limited      | after_wait yes yes bench operator | family no
upstream:          timeout · upstream               | once yes yes counts provider | target maybe
no_answer:         timeout · no_answer              | never yes yes counts provider | target maybe
no_answer_short:   timeout · no_answer              | never yes yes no user | target maybe
no_answer_opened:  timeout · no_answer              | never yes yes no provider | target maybe
deadline:          timeout · deadline               | never no no no user | target maybe
deadline_passed:   timeout · deadline               | never no no no provider | target maybe
billing:           auth_error · billing             | never no yes park operator | account no
authentication:    auth_error · authentication      | never no yes park_key operator | account no
permission:        auth_error · permission          | never no yes no operator | target no
suspended:         auth_error · suspended           | never no no park operator | account no
connection_setup:  auth_error · connection_setup    | once no yes counts operator | host no
wrong_address:     auth_error · wrong_address       | never no yes counts operator | host no
model_unavailable: permanent · model_unavailable    | never yes yes park operator | target no
bad_request:       permanent · bad_request          | never no no no operator | target no
too_large:         permanent · too_large            | never no no no user | target no
context_too_long:  permanent · context_too_long     | never larger_window larger_window no user | target no
window_exceeded:   permanent · context_too_long     | never larger_window no no user | target maybe
not_implemented:   permanent · not_implemented      | never no yes no operator | target no
bad_call:          permanent · bad_call             | never no no no operator | target no
content_policy:    content_policy · content_policy  | never no no no user | target maybe
refusal:           content_policy · refusal         | never opt_in no no user | target maybe
bad_reply:         unknown · bad_reply              | once yes yes counts provider | target maybe
empty_answer:      unknown · empty_answer           | never yes yes no provider | target maybe
thought_only:      permanent · thought_only         | never no no no operator | target maybe
edge:              unknown · edge                   | once yes yes counts network | host no
unknown:           unknown · unknown                | once yes yes counts provider | target maybe
unknown_status:    unknown · unknown                | never yes yes no provider | target maybe
cancelled:         unknown · cancelled              | never no no no user | target maybe
success:           unknown · success                | never no no no user | target maybe
"""  # noqa: E501 - a table is read in lines

ROWS = [line.partition(":") for line in SPECIFIED.strip().splitlines()]


def written(verdict: Verdict) -> str:
    decision = (
        verdict.retry_same,
        verdict.try_next_model,
        verdict.try_other_provider,
        verdict.breaker,
        verdict.fault,
    )
    return f"{verdict} | {' '.join(decision)} | {verdict.bench_scope} {verdict.sent}"


@pytest.mark.parametrize(("name", "_", "row"), ROWS, ids=[row[0] for row in ROWS])
def test_each_row_decides_as_specified(name, _, row):
    assert written(verdict_for(name)) == " ".join(row.split())


def test_there_is_no_row_beside_the_specified():
    assert [row[0] for row in ROWS] == list(REASONS)


def test_the_printed_table_has_every_row_once():
    lines = truth_table().splitlines()[2:]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == list(REASONS)
    assert all(line.count("|") == 12 for line in lines)


def test_what_a_row_says_it_prints():
    (line,) = [line for line in truth_table().splitlines() if line.startswith("| overloaded |")]
    assert line == (
        "| overloaded | transient · overloaded | yes | yes | yes | counts | provider | target "
        "| no | header | 529, 498, `overloaded_error` |"
    )


def test_facts_complete_a_row_or_replace_its_own():
    verdict = verdict_for(
        "all_open", category=ErrorCategory.RATE_LIMITED, wait_seconds=4.0, sent=Sent.MAYBE
    )
    assert str(verdict) == "rate_limited · all_open"
    assert verdict.wait_seconds == 4.0
    assert verdict.sent is Sent.MAYBE


def test_an_unknown_reason_names_the_known_ones():
    with pytest.raises(ValueError, match="no such reason: 'overload'; use one of overloaded, "):
        verdict_for("overload")
