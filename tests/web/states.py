"""Everything a person can see of a chat: the events that bring it about."""

from typing import Any

from web_kit import failed, notice

START = {"type": "start", "request_id": "req_4f1c09be27a8d35e"}
DONE = {"type": "done", "level": "full", "finish": "complete"}
TEXT = {
    "type": "text",
    "text": "A payslip proves what you earned in one month, and who paid it.\n\n"
    "A lender looks at three things: your name, who you work for, and the amount after tax. "
    "Bring the last three of them.\n\nIf your pay changes from month to month, a tax return",
}


def _status(phase: str, seconds: int | None = None, **words: Any) -> dict[str, Any]:
    said = notice(severity="info", primary_action_type="wait", **words)
    return {"type": "status", "phase": phase, "notice": said, "retry_in_seconds": seconds}


# name: events, and whether the answer has ended with them
STATES: dict[str, tuple[list[dict[str, Any]], bool]] = {
    "asked": ([START], False),
    "answering": ([START, TEXT], False),
    "switching": (
        [
            START,
            _status(
                "switching",
                title="Trying a faster way",
                body="The answer is taking longer than usual. You do not need to do anything.",
            ),
        ],
        False,
    ),
    "waiting": (
        [
            START,
            _status(
                "waiting",
                24,
                title="Waiting to try again",
                body="The assistant is not ready yet. Stay on this page.",
            ),
        ],
        False,
    ),
    "answered": ([START, TEXT, {**DONE, "model": "claude-opus-5-5"}], True),
    "cached": (
        [
            START,
            TEXT,
            {
                **DONE,
                "level": "cached",
                "notice": notice(
                    title="A saved answer",
                    body="This answer was given before, 3 hours ago. You can ask again later.",
                    primary_action_label="Ask again",
                    severity="info",
                    show_status_page_link=False,
                    reference="",
                ),
                "links": {"more": "https://example.com/payslips"},
            },
        ],
        True,
    ),
    "interrupted": (
        [
            START,
            TEXT,
            failed(
                "stream_interrupted",
                title="The answer was cut short",
                body="The answer stopped before its end. What arrived is kept.",
                retry_countdown_seconds=5,
            ),
        ],
        True,
    ),
    "unfinished": (
        [
            START,
            TEXT,
            failed(
                "stream_interrupted",
                title="There is more to come",
                body="The answer stopped before its end. What arrived is kept.",
                primary_action_label="Go on",
                primary_action_type="continue",
                severity="info",
            ),
        ],
        True,
    ),
    "failed": ([START, failed()], True),
    "busy": (
        [
            START,
            failed(
                title="Too busy to answer",
                body="Demand is high, and the assistant could not answer. You did nothing wrong.",
                primary_action_label="Wait, then try again",
                primary_action_type="wait",
                retry_countdown_seconds=30,
                severity="info",
            ),
        ],
        True,
    ),
    "refused": (
        [
            START,
            failed(
                title="Try other words",
                body="The assistant could not answer this as it is written. "
                "Change the wording and send it again.",
                primary_action_label="Change the wording",
                primary_action_type="edit_input",
                severity="info",
                show_status_page_link=False,
            ),
        ],
        True,
    ),
    "broken": (
        [
            START,
            failed(
                title="Something is not set up right",
                body="There is a set-up problem on our side. Contact support.",
                primary_action_label="Contact support",
                primary_action_type="contact_support",
                severity="error",
                show_status_page_link=False,
            ),
        ],
        True,
    ),
}
