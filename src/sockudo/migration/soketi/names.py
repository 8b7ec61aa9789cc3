"""The table of settings: the name in soketi 1.6, and the name here."""

from __future__ import annotations

from typing import Final, NamedTuple

from sockudo.migration.conversions import (
    Conversion,
    flag,
    objects,
    positive,
    positive_seconds,
    seconds,
    share,
    text,
    texts,
    whole,
)


class Equal(NamedTuple):
    """The setting that is the same here, and how its value is converted."""

    path: str
    convert: Conversion


EQUAL: Final[dict[str, Equal]] = {
    "host": Equal("host", text),
    "port": Equal("port", whole),
    "debug": Equal("debug", flag),
    "pathPrefix": Equal("path_prefix", text),
    "shutdownGracePeriod": Equal("shutdown_grace_period", seconds),
    "userAuthenticationTimeout": Equal("user_authentication_timeout", positive_seconds),
    "instance.process_id": Equal("instance.process_id", text),
    "adapter.redis.requestsTimeout": Equal("adapter.redis.requests_timeout", positive),
    "adapter.redis.prefix": Equal("adapter.redis.prefix", text),
    "adapter.redis.clusterMode": Equal("adapter.redis.cluster_mode", flag),
    "adapter.nats.requestsTimeout": Equal("adapter.nats.request_timeout_ms", positive),
    "adapter.nats.timeout": Equal("adapter.nats.connection_timeout_ms", positive),
    "adapter.nats.prefix": Equal("adapter.nats.prefix", text),
    "adapter.nats.servers": Equal("adapter.nats.servers", texts),
    "adapter.nats.user": Equal("adapter.nats.username", text),
    "adapter.nats.pass": Equal("adapter.nats.password", text),
    "adapter.nats.token": Equal("adapter.nats.token", text),
    "adapter.nats.nodesNumber": Equal("adapter.nats.nodes_number", whole),
    "appManager.cache.enabled": Equal("app_manager.cache.enabled", flag),
    "appManager.cache.ttl": Equal("app_manager.cache.ttl", whole),
    "appManager.dynamodb.table": Equal("database.dynamodb.table_name", text),
    "appManager.dynamodb.region": Equal("database.dynamodb.region", text),
    "appManager.dynamodb.endpoint": Equal("database.dynamodb.endpoint_url", text),
    "appManager.mysql.table": Equal("database.mysql.table_name", text),
    "appManager.postgres.table": Equal("database.postgres.table_name", text),
    "cache.redis.clusterMode": Equal("cache.redis.cluster_mode", flag),
    "channelLimits.maxNameLength": Equal("channel_limits.max_name_length", positive),
    "channelLimits.cacheTtl": Equal("channel_limits.cache_ttl", positive),
    "cors.credentials": Equal("cors.credentials", flag),
    "cors.origin": Equal("cors.origin", texts),
    "cors.methods": Equal("cors.methods", texts),
    "cors.allowedHeaders": Equal("cors.allowed_headers", texts),
    "database.mysql.host": Equal("database.mysql.host", text),
    "database.mysql.port": Equal("database.mysql.port", whole),
    "database.mysql.user": Equal("database.mysql.username", text),
    "database.mysql.password": Equal("database.mysql.password", text),
    "database.mysql.database": Equal("database.mysql.database", text),
    "database.postgres.host": Equal("database.postgres.host", text),
    "database.postgres.port": Equal("database.postgres.port", whole),
    "database.postgres.user": Equal("database.postgres.username", text),
    "database.postgres.password": Equal("database.postgres.password", text),
    "database.postgres.database": Equal("database.postgres.database", text),
    "database.redis.host": Equal("database.redis.host", text),
    "database.redis.port": Equal("database.redis.port", whole),
    "database.redis.db": Equal("database.redis.db", whole),
    "database.redis.username": Equal("database.redis.username", text),
    "database.redis.password": Equal("database.redis.password", text),
    "database.redis.keyPrefix": Equal("database.redis.key_prefix", text),
    "database.redis.sentinels": Equal("database.redis.sentinels", objects),
    "database.redis.sentinelPassword": Equal("database.redis.sentinel_password", text),
    "database.redis.name": Equal("database.redis.name", text),
    "database.redis.clusterNodes": Equal("database.redis.cluster_nodes", objects),
    "databasePooling.enabled": Equal("database_pooling.enabled", flag),
    "databasePooling.min": Equal("database_pooling.min", whole),
    "databasePooling.max": Equal("database_pooling.max", positive),
    "eventLimits.maxChannelsAtOnce": Equal("event_limits.max_channels_at_once", positive),
    "eventLimits.maxNameLength": Equal("event_limits.max_name_length", positive),
    "eventLimits.maxPayloadInKb": Equal("event_limits.max_payload_in_kb", positive),
    "eventLimits.maxBatchSize": Equal("event_limits.max_batch_size", positive),
    "httpApi.requestLimitInMb": Equal("http_api.request_limit_in_mb", positive),
    "httpApi.acceptTraffic.memoryThreshold": Equal("http_api.accept_traffic.memory_threshold", share),
    "metrics.enabled": Equal("metrics.enabled", flag),
    "metrics.driver": Equal("metrics.driver", text),
    "metrics.host": Equal("metrics.host", text),
    "metrics.port": Equal("metrics.port", whole),
    "metrics.prometheus.prefix": Equal("metrics.prometheus.prefix", text),
    "presence.maxMembersPerChannel": Equal("presence.max_members_per_channel", positive),
    "presence.maxMemberSizeInKb": Equal("presence.max_member_size_in_kb", positive),
    "queue.redis.concurrency": Equal("queue.redis.concurrency", positive),
    "queue.redis.clusterMode": Equal("queue.redis.cluster_mode", flag),
    "queue.sqs.region": Equal("queue.sqs.region", text),
    "queue.sqs.endpoint": Equal("queue.sqs.endpoint_url", text),
    "queue.sqs.batchSize": Equal("queue.sqs.max_messages", positive),
    "ssl.certPath": Equal("ssl.cert_path", text),
    "ssl.keyPath": Equal("ssl.key_path", text),
    "ssl.passphrase": Equal("ssl.passphrase", text),
    "ssl.caPath": Equal("ssl.ca_path", text),
    "webhooks.batching.enabled": Equal("webhooks.batching.enabled", flag),
    "webhooks.batching.duration": Equal("webhooks.batching.duration", whole),
}

_BY_UDP: Final = "nodes do not look for each other on the network here: they meet at a broker, or are `workers`"
_DRIVER_VERSION: Final = "the drivers here ask the database for its version"
_COUNTING: Final = "the nodes count together what an app uses; `rate_limiter` here is about client addresses"

NO_EQUAL: Final[dict[str, str]] = {
    "adapter.cluster.requestsTimeout": _BY_UDP,
    "appManager.mysql.version": _DRIVER_VERSION,
    "appManager.mysql.useMysql2": "there is one driver for MySQL here",
    "appManager.postgres.version": _DRIVER_VERSION,
    "cluster.hostname": _BY_UDP,
    "cluster.helloInterval": _BY_UDP,
    "cluster.checkInterval": _BY_UDP,
    "cluster.nodeTimeout": _BY_UDP,
    "cluster.masterTimeout": _BY_UDP,
    "cluster.port": _BY_UDP,
    "cluster.prefix": _BY_UDP,
    "cluster.ignoreProcess": _BY_UDP,
    "cluster.broadcast": _BY_UDP,
    "cluster.unicast": _BY_UDP,
    "cluster.multicast": _BY_UDP,
    "queue.sqs.processBatch": "messages that were fetched together are delivered at once here",
    "queue.sqs.pollingWaitTimeMs": "there is no pause between fetches here; one waits for queue.sqs.wait_time_seconds",
    "queue.sqs.clientOptions": "only region and endpoint can be set here, each by its own key",
    "rateLimiter.redis.redisOptions": _COUNTING,
    "rateLimiter.redis.clusterMode": _COUNTING,
}

# Not converted by a table; see `soketi_parts.py`.
SPECIAL: Final = frozenset(
    {
        "adapter.driver",
        "adapter.redis.redisPubOptions",
        "adapter.redis.redisSubOptions",
        "appManager.driver",
        "appManager.array.apps",
        "cache.driver",
        "cache.redis.redisOptions",
        "database.redis.tls",
        "mode",
        "queue.driver",
        "queue.redis.redisOptions",
        "queue.sqs.consumerOptions",
        "queue.sqs.queueUrl",
        "rateLimiter.driver",
    }
)

# What soketi does where its configuration is silent, and this server by itself does not.
DEFAULTS: Final[dict[str, object]] = {
    "shutdownGracePeriod": 3000,
    "userAuthenticationTimeout": 30_000,
    "httpApi.requestLimitInMb": 100,
    "cors.methods": ["GET", "POST", "PUT", "DELETE", "OPTIONS"],
    "cors.allowedHeaders": [
        "Origin",
        "Content-Type",
        "X-Auth-Token",
        "X-Requested-With",
        "Accept",
        "Authorization",
        "X-CSRF-TOKEN",
        "XSRF-TOKEN",
        "X-Socket-Id",
    ],
    "webhooks.batching.enabled": False,
}
# The same, where the driver is chosen.
DRIVER_DEFAULTS: Final[dict[str, dict[str, object]]] = {
    "mysql": {
        "appManager.mysql.table": "apps",
        "database.mysql.host": "127.0.0.1",
        "database.mysql.password": "password",
        "database.mysql.database": "main",
    },
    "postgres": {
        "appManager.postgres.table": "apps",
        "database.postgres.host": "127.0.0.1",
        "database.postgres.user": "postgres",
        "database.postgres.password": "password",
        "database.postgres.database": "main",
    },
    "dynamodb": {"appManager.dynamodb.table": "apps"},
}
