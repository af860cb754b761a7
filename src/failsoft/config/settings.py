"""One frozen tree of settings, checked where it is made.

Every setting is a field with its default, its unit in its name, its range and one line of
documentation. A value that is not allowed raises :class:`~failsoft.errors.SettingError` naming the
setting and what is allowed. Nothing here reads a file or the environment; see
:mod:`failsoft.config.loading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from failsoft.config.fields import (
    DAY,
    MANY,
    SettingSection,
    address,
    api_address,
    choice,
    host_list,
    key_list,
    number,
    origin_list,
    setting,
    switch,
    target_list,
    text,
    told,
    whole,
)
from failsoft.config.named_sections import (
    NAMED,
    NamedProviderSettings,
    RouteSettings,
    TargetSettings,
    provider_problem,
)
from failsoft.config.policy_settings import (
    CLASSIC,
    BreakerSettings,
    BulkheadSettings,
    RetrySettings,
    TimerSettings,
)
from failsoft.errors import SettingError

__all__ = [
    "CLASSIC",
    "DEFAULT_DEADLINES",
    "MAX_ANSWER_BYTES",
    "AlertSettings",
    "BreakerSettings",
    "BulkheadSettings",
    "CacheSettings",
    "EffortSettings",
    "LinkSettings",
    "NamedProviderSettings",
    "ProviderSettings",
    "RetrySettings",
    "RouteSettings",
    "ServerSettings",
    "Settings",
    "TargetSettings",
    "TimerSettings",
    "checked_settings",
]


_HOUR = 3600.0

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""The largest answer where the settings say nothing: some 3 million tokens as events."""


@dataclass(frozen=True, kw_only=True)
class AlertSettings(SettingSection):
    """Alerts that the service posts itself, for a deployment without Prometheus."""

    _section = "alerts."

    webhook_url: str | None = setting(
        None, "where alerts are posted, in the form Slack takes", address(), secret=True
    )
    repeat_seconds: float = setting(
        4 * _HOUR, "an alert that goes on is repeated after so long", number(60, 8760 * _HOUR)
    )


@dataclass(frozen=True, kw_only=True)
class CacheSettings(SettingSection):
    """Saved answers, for when no model can answer. ``store_text`` off turns them off."""

    _section = "cache."

    enabled: bool = setting(default=True, doc="save complete answers", kind=switch())
    semantic: bool = setting(
        default=True,
        doc="on shared routes, find questions that ask the same in other words",
        kind=switch(),
    )
    similarity_threshold: float | None = setting(
        None, "least cosine similarity; the embedder's own where it is not set", number(0, 1)
    )
    ttl_seconds: float = setting(DAY, "an answer is served for so long", number(1, 366 * DAY))
    max_entries: int = setting(
        100_000, "answers kept for each group of people that shares them", whole(1, MANY)
    )
    shadow: bool = setting(
        default=False,
        doc="log what other wordings would have been served, serve none",
        kind=switch(),
    )
    shadow_texts: bool = setting(
        default=False,
        doc="what `shadow` logs has the two questions in it, for people to judge",
        kind=switch(),
    )


DEFAULT_CHAIN = (
    "anthropic/claude-opus-5-5",
    "anthropic/claude-sonnet-5-5",
    "anthropic/claude-haiku-5-5",
)

WORD = text("printable ASCII without spaces", r"[!-~]+")
HOST = text("a host name or an IP address, without a port", r"[\w.:%-]+")
FOLDER = text("the path of a folder", r"[^\x00-\x1f]+")
KEY = text("16 or more printable ASCII characters without spaces", r"[!-~]{16,}")
REDIS = text("a redis://, rediss:// or unix:// address", r"(rediss?|unix)://[!-~]+")
SIMULATION = text("what docs/simulate.md allows, such as overloaded;rate=0.2", r"[ -~]+")
LOCALE = text("a language tag such as en or de-AT", r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, kw_only=True)
class ProviderSettings(SettingSection):
    """Where a provider is and how to be let in."""

    _section = "anthropic."

    api_key: str | None = setting(None, "the provider's key", WORD, secret=True)
    auth_token: str | None = setting(None, "a bearer token in place of the key", WORD, secret=True)
    base_url: str = setting("https://api.anthropic.com", "the provider's address", api_address())
    follow_redirects_to: tuple[str, ...] | None = setting(
        None, "other origins to which key and prompt may be redirected", origin_list()
    )


@dataclass(frozen=True, kw_only=True)
class EffortSettings(SettingSection):
    """What `reasoning_effort` of Chat Completions stands for in `thinking.budget_tokens`."""

    _section = "efforts."

    # As Google documents them for its compatible endpoint.
    low_tokens: int = setting(
        1024, "tokens of thought at low effort", whole(1024, MANY), at_most="medium_tokens"
    )
    medium_tokens: int = setting(
        8192, "tokens of thought at medium effort", whole(1024, MANY), at_most="high_tokens"
    )
    high_tokens: int = setting(24_576, "tokens of thought at high effort", whole(1024, MANY))


@dataclass(frozen=True, kw_only=True)
class LinkSettings(SettingSection):
    """Where a person is sent."""

    _section = "links."

    status_page: str | None = setting(None, "address of the status page", address())
    support: str | None = setting(None, "address or mailto: of support", address(mail=True))
    help: str | None = setting(None, "address of the help centre", address())
    history: str | None = setting(None, "address of the person's own history", address())


@dataclass(frozen=True, kw_only=True)
class ServerSettings(SettingSection):
    """The HTTP service."""

    _section = "server."

    host: str = setting("127.0.0.1", "address to listen on", HOST)
    port: int = setting(8787, "port to listen on; 0 takes a free one", whole(0, 65535))
    workers: int = setting(1, "processes", whole(1, 256))
    insecure: bool = setting(
        default=False, doc="serve without API keys on any address", kind=switch()
    )
    allowed_hosts: tuple[str, ...] | None = setting(
        None, "names by which a service on loopback without keys is reached too", host_list()
    )
    expose_model: bool = setting(
        default=False, doc="show the model's name in answers", kind=switch()
    )
    body_limit_bytes: int = setting(
        1024 * 1024,
        "largest request body",
        whole(1024, 1024 * 1024 * 1024),
        at_most="bodies_limit_bytes",
    )
    bodies_limit_bytes: int = setting(
        256 * 1024 * 1024,
        "bodies that the requests of one process hold together",
        whole(1024, 16 * 1024 * 1024 * 1024),
    )
    body_timeout_seconds: float = setting(
        30.0, "a whole request body must be in by then", number(0.1, DAY)
    )
    # A body has 20,000 values at most, and a message three.
    history_limit: int = setting(1000, "messages of history in a request", whole(0, 5000))
    heartbeat_seconds: float = setting(15.0, "a comment on a silent stream", number(0.05, DAY))
    announce_seconds: float = setting(
        0.0, "after SIGTERM only /readyz fails for so long: a balancer sees it", number(0, DAY)
    )
    drain_seconds: float = setting(30.0, "open requests may finish after SIGTERM", number(0, DAY))
    requests_per_tenant: int = setting(1000, "requests of one tenant at a time", whole(1, MANY))


DEFAULT_DEADLINES = (60.0, 30.0)
"""Seconds of a request and of a stream."""


@dataclass(frozen=True, kw_only=True)
class Settings(SettingSection):
    """Everything that can be set."""

    env: Literal["production", "dev"] = setting(
        "production", "where this runs", choice("production", "dev")
    )
    policy: Literal["adaptive", "classic"] = setting(
        "adaptive",
        "classic: other defaults, by which nothing is learned: a breaker opens after five failures "
        "in a row for 60 s, targets have 30, 15 and 10 s to their first content, backoffs vary by "
        "25 %",
        choice("adaptive", "classic"),
    )
    chain: tuple[str, ...] = setting(
        DEFAULT_CHAIN, "targets as provider/model, best first", target_list()
    )
    deadline_seconds: float = setting(
        DEFAULT_DEADLINES[0],
        "a request must have ended, or begun to answer, by then; as default, later where the first "
        "target may be silent for longer",
        number(0.05, DAY),
    )
    stream_deadline_seconds: float = setting(
        DEFAULT_DEADLINES[1],
        "the same for a stream; never more than deadline_seconds, but as default",
        number(0.05, DAY),
    )
    answer_timeout_seconds: float = setting(
        600.0, "the longest a living answer may take", number(0.05, DAY)
    )
    max_answer_bytes: int = setting(
        MAX_ANSWER_BYTES,
        "the largest answer of a model, decompressed; what a wrapped client streams has no limit",
        whole(1024, 1024 * 1024 * 1024),
    )
    locale: str = setting("en", "language of notices where a call names none", LOCALE)
    notices_dir: str | None = setting(None, "folder whose <locale>.toml overrides notices", FOLDER)
    rules_dir: str | None = setting(None, "folder of the prepared answers, *.md", FOLDER)
    data_dir: str = setting(".failsoft", "folder of the request log and of saved answers", FOLDER)
    redis_url: str | None = setting(
        None, "the Redis or Valkey that all processes share", REDIS, secret=True
    )
    traces: bool = setting(
        default=True,
        doc="make OpenTelemetry spans in the service, where `failsoft[otel]` is installed",
        kind=switch(),
    )
    store_text: bool = setting(
        default=True, doc="keep what was answered, to resume and to replay it", kind=switch()
    )
    on_log_down: Literal["answer", "refuse"] = setting(
        "answer",
        "requests with an Idempotency-Key while the request log is down: answer them and say "
        "that they are unprotected, or refuse them",
        choice("answer", "refuse"),
    )
    linger_seconds: float = setting(
        60.0, "a request with a key goes on for so long without a reader", number(0, DAY)
    )
    retention_seconds: float = setting(
        DAY, "what has ended is kept for so long", number(1, 366 * DAY)
    )
    api_keys: tuple[str, ...] = setting(
        (), "keys of the service, tenant:key or key", key_list(), secret=True
    )
    playground: bool | None = setting(
        None, "serve /playground; where it is not set, only where env is dev", switch()
    )
    simulate_error: str | None = setting(None, "failures of all requests, on purpose", SIMULATION)
    simulate_token_key: str | None = setting(
        None, "signs the tokens that allow X-Simulate-Error", KEY, secret=True
    )

    timers: TimerSettings = TimerSettings()
    retry: RetrySettings = RetrySettings()
    breaker: BreakerSettings = BreakerSettings()
    bulkhead: BulkheadSettings = BulkheadSettings()
    anthropic: ProviderSettings = ProviderSettings()
    efforts: EffortSettings = EffortSettings()
    links: LinkSettings = LinkSettings()
    alerts: AlertSettings = AlertSettings()
    cache: CacheSettings = CacheSettings()
    server: ServerSettings = ServerSettings()
    routes: Mapping[str, RouteSettings] = field(default_factory=dict)
    providers: Mapping[str, NamedProviderSettings] = field(default_factory=dict)
    targets: Mapping[str, TargetSettings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check this level; every section has checked itself.

        A classic policy is that of each section that was not given.
        """
        super().__post_init__()
        if self.policy == "classic":
            for section, values in CLASSIC.items():
                if getattr(self, section) is getattr(type(self), section):
                    made = replace(getattr(self, section), **values)
                    object.__setattr__(self, section, made)
        for section, named in NAMED.items():
            for name in getattr(self, section):
                if not named.valid(name):
                    problem = f"must be named {named.form}; {told(name)} is not"
                    raise SettingError(section, problem)
        for name, own in self.providers.items():
            if wrong := provider_problem(name, vars(own)):
                raise SettingError(f"providers.{name}.{wrong[0]}".rstrip("."), wrong[1])

    @property
    def serves_playground(self) -> bool:
        """Whether the service has its playground."""
        return self.env == "dev" if self.playground is None else self.playground

    @property
    def effective_stream_deadline_seconds(self) -> float:
        """By when a stream must have begun: ``deadline_seconds`` caps it too."""
        return min(self.stream_deadline_seconds, self.deadline_seconds)


def checked_settings(given: object) -> Settings | None:
    """``given``, if it is what it should be; raises :class:`~failsoft.errors.SettingError`."""
    if given is None or isinstance(given, Settings):
        return given
    raise SettingError("settings", f"must be a failsoft.Settings; it is {type(given).__name__}")
