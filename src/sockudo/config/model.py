"""The settings as a whole: the top-level keys and the sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, field_validator, model_validator

from sockudo.config.checks.roles import lonely_roles
from sockudo.config.kinds.hosts import HostName
from sockudo.config.kinds.rules import check_with_rules
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Count, Flag, OneOf, Positive, Whole, Words, WorkerCount
from sockudo.config.kinds.web_values import PathPrefix
from sockudo.config.sections.adapter import AdapterSettings
from sockudo.config.sections.app import DEMO_APP, AppSettings
from sockudo.config.sections.app_manager import AppManagerSettings
from sockudo.config.sections.cache import CacheSettings
from sockudo.config.sections.cleanup import CleanupSettings
from sockudo.config.sections.cors import CorsSettings
from sockudo.config.sections.database import DatabaseSettings
from sockudo.config.sections.limits import (
    ChannelLimits,
    EventLimits,
    HttpApiSettings,
    PresenceLimits,
    WebSocketSettings,
)
from sockudo.config.sections.logs import Level, LoggingSettings
from sockudo.config.sections.metrics import MetricsSettings
from sockudo.config.sections.proxy_protocol import ProxyProtocolSettings
from sockudo.config.sections.queue import QueueSettings
from sockudo.config.sections.rate_limiter import RateLimiterSettings
from sockudo.config.sections.sql_databases import PoolingSettings
from sockudo.config.sections.tls import SslSettings
from sockudo.config.sections.tracing import TracingSettings
from sockudo.config.sections.unix_socket import UnixSocketSettings
from sockudo.config.sections.webhooks import WebhooksSettings


class InstanceSettings(Section):
    """This process among others."""

    process_id: Annotated[Words, env("INSTANCE_PROCESS_ID")] = Field(
        default_factory=lambda: str(uuid4()),
        description="Name of this process; accepted as the original does, and without effect.",
        json_schema_extra={"default_text": "a random UUID"},
    )


class Settings(Section):
    """Everything that can be configured."""

    debug: Annotated[Flag, env("DEBUG_MODE", switch_on="DEBUG")] = Field(
        default=False, description="Log more. DEBUG can only switch it on, DEBUG_MODE sets it either way."
    )
    host: Annotated[HostName, env("HOST")] = Field(default="0.0.0.0", description="Address to listen on.")
    port: Annotated[int, Whole(0, 65535), env("PORT")] = Field(
        default=6001, description="TCP port to listen on; 0 takes a free one."
    )
    workers: Annotated[int | Literal["auto"], WorkerCount(), env("WORKERS")] = Field(
        default=1, description="Processes that serve the port together; auto is one for each usable core."
    )
    worker_sockets: Annotated[Literal["balanced", "shared"], OneOf(("balanced", "shared")), env("WORKER_SOCKETS")] = (
        Field(
            default="balanced",
            description="How workers share the port: the kernel spreads connections (on Linux only), or one queue.",
        )
    )
    mode: Annotated[Words, env("ENVIRONMENT", "APP_MODE")] = Field(
        default="production", description="Name of the environment; a label."
    )
    path_prefix: Annotated[str, PathPrefix(), env("PATH_PREFIX")] = Field(
        default="", description="Path under which everything is served, such as /sockudo."
    )
    shutdown_grace_period: Annotated[Count, env("SHUTDOWN_GRACE_PERIOD")] = Field(
        default=10, description="How long a stopping server may take to say goodbye (seconds)."
    )
    readiness_delay: Annotated[Count, env("READINESS_DELAY")] = Field(
        default=0,
        description="How long a stopping server goes on serving, with red probes, before it says goodbye (seconds). "
        "Not a setting of the original.",
    )
    health_check_timeout_ms: Annotated[Positive, env("HEALTH_CHECK_TIMEOUT_MS")] = Field(
        default=2000, description="How long a store may take to answer a health probe (ms)."
    )
    max_connections: Annotated[Count, env("SOCKUDO_MAX_CONNECTIONS")] = Field(
        default=0,
        description="WebSocket connections of one process, of each worker where there are several; 0 means no limit.",
    )
    server_role: Annotated[Literal["default", "api"], OneOf(("default", "api")), env("SOCKUDO_SERVER_ROLE")] = Field(
        default="default",
        description="What the server is for; api only takes events from back ends, for clients of other nodes.",
    )
    user_authentication_timeout: Annotated[Positive, env("USER_AUTHENTICATION_TIMEOUT")] = Field(
        default=3600, description="How long a connection may take to sign in where an app demands it (seconds)."
    )
    websocket_max_payload_kb: Annotated[Positive, env("WEBSOCKET_MAX_PAYLOAD_KB")] = Field(
        default=64, description="Size of a message from a client (KB)."
    )
    activity_timeout: Annotated[Positive, env("ACTIVITY_TIMEOUT")] = Field(
        default=120, description="Silence after which a connection is asked whether it is alive (seconds)."
    )
    adapter: AdapterSettings = Field(
        default_factory=AdapterSettings, description="How the nodes of a cluster reach each other."
    )
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="Databases.")
    database_pooling: PoolingSettings = Field(
        default_factory=PoolingSettings, description="How many connections to a SQL database are kept."
    )
    app_manager: AppManagerSettings = Field(default_factory=AppManagerSettings, description="Where apps come from.")
    channel_limits: ChannelLimits = Field(default_factory=ChannelLimits, description="Limits on channels.")
    event_limits: EventLimits = Field(default_factory=EventLimits, description="Limits on events.")
    presence: PresenceLimits = Field(default_factory=PresenceLimits, description="Limits on presence channels.")
    http_api: HttpApiSettings = Field(default_factory=HttpApiSettings, description="The HTTP API.")
    websocket: WebSocketSettings = Field(default_factory=WebSocketSettings, description="WebSocket connections.")
    rate_limiter: RateLimiterSettings = Field(
        default_factory=RateLimiterSettings, description="Requests and connections of one client address."
    )
    cors: CorsSettings = Field(default_factory=CorsSettings, description="Web pages that may use the HTTP API.")
    cache: CacheSettings = Field(default_factory=CacheSettings, description="Last events of cache channels.")
    queue: QueueSettings = Field(default_factory=QueueSettings, description="Where webhooks wait for their delivery.")
    webhooks: WebhooksSettings = Field(
        default_factory=WebhooksSettings, description="How the webhooks of all apps are delivered."
    )
    metrics: MetricsSettings = Field(default_factory=MetricsSettings, description="The figures for Prometheus.")
    tracing: TracingSettings = Field(default_factory=TracingSettings, description="Spans for OpenTelemetry.")
    ssl: SslSettings = Field(default_factory=SslSettings, description="TLS on the server's own port.")
    unix_socket: UnixSocketSettings = Field(
        default_factory=UnixSocketSettings, description="A socket in the file system instead of a TCP port."
    )
    proxy_protocol: ProxyProtocolSettings = Field(
        default_factory=ProxyProtocolSettings,
        description="Proxies that name the client in a PROXY protocol header, version 1 or 2.",
    )
    cleanup: CleanupSettings = Field(default_factory=CleanupSettings, description="Accepted and without effect.")
    logging: LoggingSettings = Field(default_factory=LoggingSettings, description="What is logged, and how.")
    instance: InstanceSettings = Field(default_factory=InstanceSettings, description="This process among others.")
    # Only what loads settings knows whether anything was configured.
    _demo_app: bool = PrivateAttr(default=False)

    @model_validator(mode="wrap")
    @classmethod
    def _reaches_clients(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        return check_with_rules(cls.__name__, data, handler, list(lonely_roles(data)))

    @field_validator("logging", mode="before")
    @classmethod
    def _logging_may_be_null(cls, value: Any) -> Any:
        # The one section that files of the original may give as null.
        return {} if value is None else value

    @property
    def configured_apps(self) -> tuple[AppSettings, ...]:
        """The apps that were configured anywhere."""
        return self.app_manager.array.apps + self.app_manager.apps

    @property
    def uses_demo_app(self) -> bool:
        """Whether the well-known demo app is served, because nothing was configured."""
        return self._demo_app

    def with_demo_app(self) -> Self:
        """Return these settings with the demo app, for a server without any configuration."""
        settings = self.model_copy()
        settings._demo_app = True
        return settings

    @property
    def apps(self) -> tuple[AppSettings, ...]:
        """The apps to start with: the configured ones, or the demo app."""
        return (DEMO_APP,) if self._demo_app else self.configured_apps

    @property
    def speaks_tls(self) -> bool:
        """Whether clients speak TLS with the server; on a unix socket they need none."""
        return self.ssl.enabled and not self.unix_socket.enabled

    @property
    def log_level(self) -> Level:
        """The least important level that is logged."""
        return self.logging.effective_level(debug=self.debug)

    def advice(self) -> list[str]:
        """What an operator should know about these settings although they are valid."""
        found = self.cors.advice() + self.rate_limiter.advice() + self.ssl.advice() + self.websocket.advice()
        if self.adapter.driver == "rabbitmq":
            found += self.adapter.rabbitmq.advice()
        found += self.unix_socket.advice(self.mode, tls=self.ssl.enabled)
        return found + self._advice_on_apps()

    def _advice_on_apps(self) -> list[str]:
        if self.uses_demo_app:
            return [f'no app is configured: the demo app "{DEMO_APP.id}" is active, and its secret is public knowledge']
        if self.app_manager.driver == "memory" and not self.apps:
            return [
                "no app is configured, so no client can connect: list one in app_manager.array.apps, or set "
                "SOCKUDO_DEFAULT_APP_ID, SOCKUDO_DEFAULT_APP_KEY and SOCKUDO_DEFAULT_APP_SECRET"
            ]
        return [
            f'app "{app.id}" has the secret of the demo app, which is public knowledge: set a secret of your own'
            for app in self.configured_apps
            if app.secret == DEMO_APP.secret
        ]
