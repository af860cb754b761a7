"""What failsoft raises.

    FailsoftError
     ├── SettingError            a setting is wrong; the line names it and what is allowed
     ├── NoticeFileError         a file of notices is wrong; the line names the file and the place
     ├── RuleFolderError         the folder of rules cannot be read; the line names it
     ├── CircuitOpenError        a breaker of one's own lets no call through for now
     ├── MissingExtraError       a package of an extra is not installed; an ImportError too
     └── AIError                 a request to a model ended without an answer
          ├── AIUnavailable      attempts exhausted, deadline, all targets open, retry budget
          ├── AIRefused          content_policy
          ├── AIMisconfigured    auth_error: a key, a bill, a permission
          └── AIBadRequest       permanent: this request can never succeed as it is

Only the strict API raises an :class:`AIError`; ``ask`` never does. Each carries the ``verdict``,
the ``notice`` for a person, the ledger of ``attempts``, the ``request_id`` and ``retry_after`` in
seconds; the provider's exception is its ``__cause__``. All of them can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failsoft.attempt import Attempt
    from failsoft.classify.verdict import Verdict
    from failsoft.notices.notice import Notice

__all__ = [
    "AIBadRequest",
    "AIError",
    "AIMisconfigured",
    "AIRefused",
    "AIUnavailable",
    "CircuitOpenError",
    "FailsoftError",
    "MissingExtraError",
    "NoticeFileError",
    "RuleFolderError",
    "SettingError",
    "extra",
]


class FailsoftError(Exception):
    """The root of everything failsoft raises."""


class MissingExtraError(FailsoftError, ImportError):
    """A package of an extra is not installed; the line says what needs it and how to install it."""


@contextmanager
def extra(name: str, asker: str) -> Iterator[None]:
    """For imports of what the extra ``name`` brings.

    ``asker`` is the setting or the public name that needs it, as the message names it. Raises
    :class:`MissingExtraError` where a package of it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("failsoft"):
            raise
        missing, install = error.name.partition(".")[0], f"pip install 'failsoft[{name}]'"
        problem = f"{asker} needs {missing}, which is not installed: {install}"
        raise MissingExtraError(problem) from error


class SettingError(FailsoftError, ValueError):
    """A setting is wrong. ``setting`` is its full name, ``problem`` what is wrong and allowed."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(setting, problem)
        self.setting = setting
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.setting}: {self.problem}"


class NoticeFileError(FailsoftError, ValueError):
    """A file of notices cannot be used; the message names the file, the place and the remedy."""


class RuleFolderError(FailsoftError, ValueError):
    """The folder of rules cannot be read; the message names it and what to do."""


class CircuitOpenError(FailsoftError):
    """A :class:`~failsoft.CircuitBreaker` let a call not through; nothing was called.

    ``name`` is the breaker's, ``retry_in_seconds`` the time to its next probe (``None``: it was
    opened by hand, until :meth:`~failsoft.CircuitBreaker.restore`). ``verdict`` is on what it
    opened for, and says that trying again now is no use.
    """

    def __init__(self, name: str, retry_in_seconds: float | None, verdict: Verdict) -> None:
        super().__init__(name, retry_in_seconds, verdict)
        self.name = name
        self.retry_in_seconds = retry_in_seconds
        self.verdict = verdict

    def __str__(self) -> str:
        if self.retry_in_seconds is None:
            return f"{self.name} is switched off by hand, until restore() is called"
        again = f"it is tried again in {self.retry_in_seconds:.1f} s"
        return f"{self.name} is left alone, since it failed too often; {again}"


class AIError(FailsoftError):
    """A request to a model ended without an answer; see the module for its kinds."""

    def __init__(
        self,
        message: str,
        *,
        verdict: Verdict,
        notice: Notice,
        attempts: tuple[Attempt, ...] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.notice = notice
        self.attempts = attempts
        self.request_id = request_id
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        return _rebuild, (type(self), str(self), state)


def _rebuild(kind: type[AIError], message: str, state: dict[str, Any]) -> AIError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class AIUnavailable(AIError):
    """No model answered: attempts exhausted, deadline passed, all targets open, budget spent."""


class AIRefused(AIError):
    """The content was refused; the person may rephrase."""


class AIMisconfigured(AIError):
    """The account is not set up: key, bill or permission."""


class AIBadRequest(AIError):
    """The request can never succeed as it is."""
