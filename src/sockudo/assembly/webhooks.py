"""Makes the webhooks of an app, and the service that sends those of all apps."""

from __future__ import annotations

from collections.abc import Iterable

from sockudo.apps.base import AppManager
from sockudo.apps.patterns import Pattern
from sockudo.apps.webhook import ChannelFilter, Function, Webhook
from sockudo.assembly.drivers import lambda_class
from sockudo.assembly.makers.plain import Makers
from sockudo.assembly.queue import queue_from_settings
from sockudo.cluster.peers import Peers
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings
from sockudo.config.sections.webhook import WebhookFilter, WebhookSettings
from sockudo.queues.base import Queue
from sockudo.timing.clock import Clock
from sockudo.webhooks.delivery.functions import Functions
from sockudo.webhooks.delivery.policy import RetryPolicy
from sockudo.webhooks.delivery.sender import Sender
from sockudo.webhooks.reporting.reports import MergedView
from sockudo.webhooks.reporting.settling import SettlingTimes
from sockudo.webhooks.service import WebhookService
from sockudo.webhooks.webhooks import Webhooks, WebhookTimes


def webhooks_from_settings(entries: Iterable[WebhookSettings]) -> tuple[Webhook, ...]:
    """Return the webhooks of an app."""
    return tuple(
        Webhook(
            url=entry.url,
            event_types=frozenset(entry.event_types),
            function=_function(entry),
            filter=None if entry.filter is None else _filter(entry.filter),
            headers=dict(entry.headers),
        )
        for entry in entries
    )


def needs_webhooks(settings: Settings) -> bool:
    """Tell whether any app has webhooks, or may come to have some while the server runs.

    A queue in a store that is asked for is used in any case, so that one that cannot be reached is told at the start.
    """
    may_come = settings.app_manager.driver != "memory" or settings.queue.driver not in ("memory", "none")
    return may_come or any(app.webhooks for app in settings.apps)


def webhook_queue(settings: Settings, clock: Clock) -> Queue:
    """Return the queue that webhooks wait in, not started; whatever sends them later is there too.

    Raises:
        ConfigError: the driver of the queue lacks a setting.
        MissingExtraError: what it needs is not installed, or what the functions of the apps need.
    """
    queue = queue_from_settings(settings, clock)
    if any(_function(entry) is not None for app in settings.apps for entry in app.webhooks):
        lambda_class()
    return queue


def service_from_settings(
    settings: Settings,
    apps: AppManager,
    view: MergedView,
    peers: Peers,
    clock: Clock,
    times: ClusterTimes,
    makers: Makers,
) -> WebhookService:
    """Return what sends webhooks; nothing is started.

    Raises:
        ConfigError: the driver of the queue lacks a setting.
        MissingExtraError: what it needs is not installed, or what the functions of the apps need.
    """
    section, queue = settings.webhooks, webhook_queue(settings, clock)
    timeout, allow_private = section.request_timeout_ms / 1000, section.allow_private

    def make_sender() -> Sender:
        # The HTTP client is 9 MB of memory: a server without webhooks does without it.
        from sockudo.webhooks.delivery.posting import HttpPoster

        sender = makers.sender(
            apps,
            HttpPoster(timeout, allow_private=allow_private),
            Functions(lambda: lambda_class()(timeout, allow_private=allow_private)),
            clock,
            RetryPolicy(section.max_attempts),
            section.concurrency,
        )
        sender.listener = peers.delivered
        return sender

    webhook_times = WebhookTimes(
        hold=section.hold_ms / 1000,
        batching=section.batching.duration / 1000 if section.batching.enabled else None,
        settling=SettlingTimes(hello=times.introduction, missed=times.node_timeout),
    )
    webhooks = Webhooks(apps, view, peers, queue, clock, webhook_times)
    return makers.webhooks(WebhookService(webhooks, queue, make_sender))


def _function(entry: WebhookSettings) -> Function | None:
    if entry.lambda_ is not None:
        chosen = entry.lambda_
        return Function(
            chosen.function_name, chosen.region, chosen.invocation_type, chosen.qualifier, chosen.endpoint_url
        )
    return None if entry.lambda_function is None else Function(entry.lambda_function)


def _filter(conditions: WebhookFilter) -> ChannelFilter:
    pattern = conditions.channel_pattern
    return ChannelFilter(
        channel_type=conditions.channel_type,
        prefix=conditions.channel_prefix or "",
        suffix=conditions.channel_suffix or "",
        pattern=None if pattern is None else Pattern(pattern),
    )
