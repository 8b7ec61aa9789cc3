"""Every setting: its default, the variables that set it, and that a wrong value is a problem with its name."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from sockudo.config.checks.unknown import setting_paths
from sockudo.config.kinds.section import env_of
from sockudo.config.model import Settings

from .conftest import Load, Problems, choosing, document_with


class Row(NamedTuple):
    """One setting: a value other than its default, as text and as read, and a value that is refused."""

    path: str
    default: Any
    text: str
    value: Any
    wrong: Any
    variables: tuple[str, ...] = ()


# A wrong value of None means that null is refused; every other setting here refuses what stands in its row.
ROWS = [
    Row("debug", False, "yes", True, "maybe", ("DEBUG_MODE", "DEBUG")),
    Row("host", "0.0.0.0", "127.0.0.1", "127.0.0.1", 5, ("HOST",)),
    Row("port", 6001, "7001", 7001, 65536, ("PORT",)),
    Row("workers", 1, "AUTO", "auto", 0, ("WORKERS",)),
    Row("worker_sockets", "balanced", "Shared", "shared", "own", ("WORKER_SOCKETS",)),
    Row("mode", "production", "staging", "staging", None, ("ENVIRONMENT", "APP_MODE")),
    Row("path_prefix", "", "/ws", "/ws", "a b", ("PATH_PREFIX",)),
    Row("shutdown_grace_period", 10, "0", 0, -1, ("SHUTDOWN_GRACE_PERIOD",)),
    Row("readiness_delay", 0, "5", 5, -1, ("READINESS_DELAY",)),
    Row("health_check_timeout_ms", 2000, "400", 400, 0, ("HEALTH_CHECK_TIMEOUT_MS",)),
    Row("max_connections", 0, "9000", 9000, -1, ("SOCKUDO_MAX_CONNECTIONS",)),
    Row("server_role", "default", "Default", "default", "edge", ("SOCKUDO_SERVER_ROLE",)),
    Row("user_authentication_timeout", 3600, "5", 5, 0, ("USER_AUTHENTICATION_TIMEOUT",)),
    Row("websocket_max_payload_kb", 64, "128", 128, 1.5, ("WEBSOCKET_MAX_PAYLOAD_KB",)),
    Row("activity_timeout", 120, "30", 30, 0, ("ACTIVITY_TIMEOUT",)),
    Row("adapter.driver", "local", "REDIS", "redis", "carrier-pigeon", ("ADAPTER_DRIVER",)),
    Row("adapter.buffer_multiplier_per_cpu", 64, "8", 8, -1, ("ADAPTER_BUFFER_MULTIPLIER_PER_CPU",)),
    Row("adapter.redis.requests_timeout", 5000, "9", 9, 0, ("ADAPTER_REQUEST_TIMEOUT",)),
    Row("adapter.redis.prefix", "sockudo_adapter:", "p:", "p:", 1, ("ADAPTER_REDIS_PREFIX",)),
    Row(
        "adapter.redis.redis_pub_options.url",
        None,
        "redis://a",
        "redis://a",
        "http://a",
        ("REDIS_URL", "ADAPTER_REDIS_URL"),
    ),
    Row("adapter.redis.redis_pub_options.password", None, "x", "x", 1),
    Row(
        "adapter.redis.redis_sub_options.url",
        None,
        "redis://a",
        "redis://a",
        "http://a",
        ("REDIS_URL", "ADAPTER_REDIS_URL"),
    ),
    Row("adapter.redis.redis_sub_options.password", None, "x", "x", 1),
    Row("adapter.redis.cluster_mode", False, "on", True, "x"),
    Row("adapter.cluster.nodes", (), "a:1, b:2", ("a:1", "b:2"), ["http://a"], ("REDIS_CLUSTER_NODES",)),
    Row("adapter.cluster.prefix", "sockudo_cluster:", "p:", "p:", 1),
    Row("adapter.cluster.request_timeout_ms", 5000, "9", 9, 0),
    Row("adapter.cluster.use_connection_manager", True, "off", False, "x"),
    Row(
        "adapter.nats.servers",
        ("nats://localhost:4222",),
        "nats://a, nats://b",
        ("nats://a", "nats://b"),
        ["http://a"],
        ("NATS_SERVERS", "NATS_URL"),
    ),
    Row("adapter.nats.prefix", "sockudo_nats:", "p", "p", 1),
    Row("adapter.nats.request_timeout_ms", 5000, "9", 9, 0, ("NATS_REQUEST_TIMEOUT_MS",)),
    Row("adapter.nats.connection_timeout_ms", 5000, "9", 9, 0, ("NATS_CONNECTION_TIMEOUT_MS",)),
    Row("adapter.nats.username", None, "ann", "ann", 1, ("NATS_USERNAME",)),
    Row("adapter.nats.password", None, "x", "x", 1, ("NATS_PASSWORD",)),
    Row("adapter.nats.token", None, "x", "x", 1, ("NATS_TOKEN",)),
    Row("adapter.nats.nkey_seed", None, "x", "x", 1),
    Row("adapter.nats.credentials_file", None, "x", "x", 1),
    Row("adapter.nats.tls_ca", None, "x", "x", 1),
    Row("adapter.nats.tls_cert", None, "x", "x", 1),
    Row("adapter.nats.tls_key", None, "x", "x", 1),
    Row("adapter.nats.nodes_number", None, "3", 3, -1),
    Row(
        "adapter.rabbitmq.url",
        "amqp://guest:guest@127.0.0.1:5672/%2f",
        "amqp://a,amqps://b",
        "amqp://a,amqps://b",
        1,
        ("RABBITMQ_URL",),
    ),
    Row("adapter.rabbitmq.prefix", "sockudo_adapter", "p", "p", 1, ("RABBITMQ_PREFIX",)),
    Row("adapter.rabbitmq.request_timeout_ms", 5000, "9", 9, 0, ("RABBITMQ_REQUEST_TIMEOUT_MS",)),
    Row("adapter.rabbitmq.connection_timeout_ms", 5000, "9", 9, 0, ("RABBITMQ_CONNECTION_TIMEOUT_MS",)),
    Row("adapter.rabbitmq.max_queue_mb", 64, "9", 9, 0),
    Row("adapter.rabbitmq.tls_ca", None, "x", "x", 1),
    Row("adapter.rabbitmq.tls_cert", None, "x", "x", 1),
    Row("adapter.rabbitmq.tls_key", None, "x", "x", 1),
    Row("adapter.rabbitmq.nodes_number", None, "3", 3, -1, ("RABBITMQ_NODES_NUMBER",)),
    Row("adapter.kafka.brokers", ("localhost:9092",), "a, b:1", ("a", "b:1"), 1, ("KAFKA_BROKERS",)),
    Row("adapter.kafka.prefix", "sockudo_adapter", "p", "p", 1, ("KAFKA_PREFIX",)),
    Row("adapter.kafka.request_timeout_ms", 5000, "9", 9, 0, ("KAFKA_REQUEST_TIMEOUT_MS",)),
    Row("adapter.kafka.connection_timeout_ms", 5000, "9", 9, 0, ("KAFKA_CONNECTION_TIMEOUT_MS",)),
    Row("adapter.kafka.security_protocol", None, "SASL_SSL", "sasl_ssl", "tls", ("KAFKA_SECURITY_PROTOCOL",)),
    Row("adapter.kafka.sasl_mechanism", None, "SCRAM-SHA-256", "scram-sha-256", "md5", ("KAFKA_SASL_MECHANISM",)),
    Row("adapter.kafka.sasl_username", None, "ann", "ann", 1, ("KAFKA_SASL_USERNAME",)),
    Row("adapter.kafka.sasl_password", None, "x", "x", 1, ("KAFKA_SASL_PASSWORD",)),
    Row("adapter.kafka.tls_ca", None, "x", "x", 1),
    Row("adapter.kafka.tls_cert", None, "x", "x", 1),
    Row("adapter.kafka.tls_key", None, "x", "x", 1),
    Row("adapter.kafka.partitions", 8, "3", 3, 0, ("KAFKA_PARTITIONS",)),
    Row("adapter.kafka.replication_factor", None, "3", 3, 0, ("KAFKA_REPLICATION_FACTOR",)),
    Row("adapter.kafka.retention_ms", 60000, "9", 9, 0),
    Row("adapter.kafka.max_batch_kb", 900, "100", 100, 15),
    Row("adapter.kafka.nodes_number", None, "3", 3, -1, ("KAFKA_NODES_NUMBER",)),
    Row("adapter.cluster_health.enabled", True, "no", False, "x", ("CLUSTER_HEALTH_ENABLED",)),
    Row("adapter.cluster_health.heartbeat_interval_ms", 10000, "9", 9, 0, ("CLUSTER_HEALTH_HEARTBEAT_INTERVAL",)),
    Row("adapter.cluster_health.node_timeout_ms", 30000, "40000", 40000, 0, ("CLUSTER_HEALTH_NODE_TIMEOUT",)),
    Row("adapter.cluster_health.cleanup_interval_ms", 10000, "9", 9, 0, ("CLUSTER_HEALTH_CLEANUP_INTERVAL",)),
    Row("database.redis.host", "127.0.0.1", "r", "r", 1, ("DATABASE_REDIS_HOST",)),
    Row("database.redis.port", 6379, "1", 1, 0, ("DATABASE_REDIS_PORT",)),
    Row("database.redis.db", 0, "1", 1, -1, ("DATABASE_REDIS_DB",)),
    Row("database.redis.username", None, "x", "x", 1, ("DATABASE_REDIS_USERNAME", "DATABASE_REDIS_USER")),
    Row("database.redis.password", None, "x", "x", 1, ("DATABASE_REDIS_PASSWORD",)),
    Row("database.redis.key_prefix", "sockudo:", "p:", "p:", 1, ("DATABASE_REDIS_KEY_PREFIX",)),
    Row("database.redis.sentinel_password", None, "x", "x", 1, ("DATABASE_REDIS_SENTINEL_PASSWORD",)),
    Row("database.redis.name", "mymaster", "x", "x", 1, ("DATABASE_REDIS_SENTINEL_MASTER", "DATABASE_REDIS_NAME")),
    Row("database.redis.cluster.use_tls", False, "yes", True, "maybe", ("DATABASE_REDIS_CLUSTER_USE_TLS",)),
    Row("database.redis.cluster.password", None, "x", "x", 1, ("DATABASE_REDIS_CLUSTER_PASSWORD",)),
    Row("database.sqlite.path", "sockudo.db", "/var/a.db", "/var/a.db", 1, ("DATABASE_SQLITE_PATH",)),
    Row("database.sqlite.table_name", "applications", "x", "x", "a;b", ("DATABASE_SQLITE_TABLE_NAME",)),
    Row("database.mysql.host", "localhost", "h", "h", 1, ("DATABASE_MYSQL_HOST",)),
    Row("database.mysql.port", 3306, "1", 1, 0, ("DATABASE_MYSQL_PORT",)),
    Row("database.mysql.username", "root", "x", "x", 1, ("DATABASE_MYSQL_USERNAME", "DATABASE_MYSQL_USER")),
    Row("database.mysql.password", "", "x", "x", 1, ("DATABASE_MYSQL_PASSWORD",)),
    Row("database.mysql.database", "sockudo", "x", "x", 1, ("DATABASE_MYSQL_DATABASE",)),
    Row("database.mysql.table_name", "applications", "x", "x", "a;b", ("DATABASE_MYSQL_TABLE_NAME",)),
    Row("database.mysql.connection_pool_size", 10, "3", 3, 0, ("DATABASE_CONNECTION_POOL_SIZE",)),
    Row("database.mysql.tls", "prefer", "VERIFY", "verify", "perhaps", ("DATABASE_MYSQL_TLS",)),
    Row("database.mysql.tls_ca", None, "/ca.pem", "/ca.pem", 1, ("DATABASE_MYSQL_TLS_CA",)),
    Row("database.mysql.pool_min", None, "0", 0, -1, ("DATABASE_MYSQL_POOL_MIN",)),
    Row("database.mysql.pool_max", None, "3", 3, 0, ("DATABASE_MYSQL_POOL_MAX",)),
    Row("database.mysql.cache_ttl", 300, "3", 3, -1),
    Row("database.mysql.cache_cleanup_interval", 60, "3", 3, -1),
    Row("database.mysql.cache_max_capacity", 100, "3", 3, -1),
    Row("database.postgres.host", "localhost", "h", "h", 1, ("DATABASE_POSTGRES_HOST",)),
    Row("database.postgres.port", 5432, "1", 1, 0, ("DATABASE_POSTGRES_PORT",)),
    Row("database.postgres.username", "root", "x", "x", 1, ("DATABASE_POSTGRES_USERNAME", "DATABASE_POSTGRES_USER")),
    Row("database.postgres.password", "", "x", "x", 1, ("DATABASE_POSTGRES_PASSWORD",)),
    Row("database.postgres.database", "sockudo", "x", "x", 1, ("DATABASE_POSTGRES_DATABASE",)),
    Row("database.postgres.table_name", "applications", "x", "x", "a;b", ("DATABASE_POSTGRES_TABLE_NAME",)),
    Row("database.postgres.connection_pool_size", 10, "3", 3, 0, ("DATABASE_CONNECTION_POOL_SIZE",)),
    Row("database.postgres.tls", "prefer", "VERIFY", "verify", "perhaps", ("DATABASE_POSTGRES_TLS",)),
    Row("database.postgres.tls_ca", None, "/ca.pem", "/ca.pem", 1, ("DATABASE_POSTGRES_TLS_CA",)),
    Row("database.postgres.pool_min", None, "0", 0, -1, ("DATABASE_POSTGRES_POOL_MIN",)),
    Row("database.postgres.pool_max", None, "3", 3, 0, ("DATABASE_POSTGRES_POOL_MAX",)),
    Row("database.postgres.cache_ttl", 300, "3", 3, -1),
    Row("database.postgres.cache_cleanup_interval", 60, "3", 3, -1),
    Row("database.postgres.cache_max_capacity", 100, "3", 3, -1),
    Row(
        "database.dynamodb.region", "us-east-1", "eu-west-1", "eu-west-1", 1, ("DATABASE_DYNAMODB_REGION", "AWS_REGION")
    ),
    Row("database.dynamodb.table_name", "sockudo-applications", "xyz", "xyz", "x", ("DATABASE_DYNAMODB_TABLE_NAME",)),
    Row("database.dynamodb.endpoint_url", None, "http://d:1", "http://d:1", "d:1", ("DATABASE_DYNAMODB_ENDPOINT_URL",)),
    Row(
        "database.dynamodb.aws_access_key_id",
        None,
        "x",
        "x",
        1,
        ("DATABASE_DYNAMODB_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"),
    ),
    Row(
        "database.dynamodb.aws_secret_access_key",
        None,
        "x",
        "x",
        1,
        ("DATABASE_DYNAMODB_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"),
    ),
    Row(
        "database.dynamodb.aws_session_token",
        None,
        "x",
        "x",
        1,
        ("DATABASE_DYNAMODB_SESSION_TOKEN", "AWS_SESSION_TOKEN"),
    ),
    Row("database.dynamodb.aws_profile_name", None, "x", "x", 1),
    Row("database.scylladb.nodes", ("127.0.0.1:9042",), "a:1, b:2", ("a:1", "b:2"), []),
    Row("database.scylladb.keyspace", "sockudo", "x", "x", "a-b"),
    Row("database.scylladb.table_name", "applications", "x", "x", "a;b"),
    Row("database.scylladb.username", None, "x", "x", 1),
    Row("database.scylladb.password", None, "x", "x", 1),
    Row("database.scylladb.replication_class", "SimpleStrategy", "x", "x", "a'"),
    Row("database.scylladb.replication_factor", 3, "1", 1, 0),
    Row("database_pooling.enabled", True, "off", False, "x", ("DATABASE_POOLING_ENABLED", "DATABASE_POOL_ENABLED")),
    Row("database_pooling.min", 2, "0", 0, -1, ("DATABASE_POOL_MIN", "DATABASE_POOLING_MIN")),
    Row(
        "database_pooling.max",
        10,
        "3",
        3,
        0,
        ("DATABASE_POOL_MAX", "DATABASE_POOLING_MAX", "DATABASE_CONNECTION_POOL_SIZE"),
    ),
    Row("app_manager.driver", "memory", "MEMORY", "memory", "oracle", ("APP_MANAGER_DRIVER",)),
    Row("app_manager.cache.enabled", True, "off", False, "x", ("APP_MANAGER_CACHE_ENABLED",)),
    Row("app_manager.cache.ttl", 300, "7", 7, -7, ("APP_MANAGER_CACHE_TTL", "CACHE_TTL_SECONDS")),
    Row("cache.driver", "memory", "None", "none", "oracle", ("CACHE_DRIVER",)),
    Row("cache.memory.ttl", 300, "0", 0, "x", ("CACHE_TTL_SECONDS",)),
    Row("cache.memory.cleanup_interval", 60, "9", 9, 2**32, ("CACHE_CLEANUP_INTERVAL",)),
    Row("cache.memory.max_capacity", 10000, "5", 5, 0, ("CACHE_MAX_CAPACITY",)),
    Row("cache.memory.max_memory_mb", 256, "5", 5, 0, ("CACHE_MAX_MEMORY_MB",)),
    Row("cache.redis.prefix", "sockudo_cache:", "p:", "p:", 1, ("CACHE_REDIS_PREFIX",)),
    Row("cache.redis.url_override", None, "redis://a", "redis://a", "http://a", ("REDIS_URL", "CACHE_REDIS_URL")),
    Row("cache.redis.cluster_mode", False, "on", True, "x"),
    Row("queue.driver", "memory", "None", "none", "rabbit", ("QUEUE_DRIVER",)),
    Row("queue.redis.concurrency", 5, "2", 2, 0, ("QUEUE_REDIS_CONCURRENCY",)),
    Row("queue.redis.prefix", "sockudo_queue:", "p:", "p:", 1, ("QUEUE_REDIS_PREFIX",)),
    Row("queue.redis.url_override", None, "redis://a", "redis://a", "http://a", ("REDIS_URL", "QUEUE_REDIS_URL")),
    Row("queue.redis.cluster_mode", False, "on", True, "x"),
    Row("queue.redis_cluster.concurrency", 5, "2", 2, 0, ("REDIS_CLUSTER_QUEUE_CONCURRENCY",)),
    Row("queue.redis_cluster.prefix", "sockudo_queue:", "p:", "p:", 1, ("REDIS_CLUSTER_QUEUE_PREFIX",)),
    Row("queue.redis_cluster.nodes", (), "a:1, b:2", ("a:1", "b:2"), ["http://a"], ("REDIS_CLUSTER_NODES",)),
    Row("queue.redis_cluster.request_timeout_ms", 5000, "9", 9, 0),
    Row("queue.sqs.region", "us-east-1", "x", "x", 1, ("QUEUE_SQS_REGION", "SQS_REGION", "AWS_REGION")),
    Row(
        "queue.sqs.queue_url_prefix",
        None,
        "https://q/1/",
        "https://q/1/",
        "q",
        ("QUEUE_SQS_QUEUE_URL_PREFIX", "SQS_QUEUE_URL_PREFIX"),
    ),
    Row("queue.sqs.visibility_timeout", 30, "1", 1, 0, ("QUEUE_SQS_VISIBILITY_TIMEOUT", "SQS_VISIBILITY_TIMEOUT")),
    Row(
        "queue.sqs.endpoint_url",
        None,
        "http://q:1",
        "http://q:1",
        "q:1",
        ("QUEUE_SQS_ENDPOINT_URL", "SQS_ENDPOINT_URL"),
    ),
    Row("queue.sqs.max_messages", 10, "1", 1, 11, ("QUEUE_SQS_MAX_MESSAGES", "SQS_MAX_MESSAGES")),
    Row("queue.sqs.wait_time_seconds", 5, "0", 0, 21, ("QUEUE_SQS_WAIT_TIME_SECONDS", "SQS_WAIT_TIME_SECONDS")),
    Row("queue.sqs.concurrency", 5, "2", 2, 0, ("QUEUE_SQS_CONCURRENCY", "SQS_CONCURRENCY")),
    Row("queue.sqs.fifo", False, "yes", True, "x", ("QUEUE_SQS_FIFO", "SQS_FIFO")),
    Row(
        "queue.sqs.message_group_id", "default", "x", "x", "a b", ("QUEUE_SQS_MESSAGE_GROUP_ID", "SQS_MESSAGE_GROUP_ID")
    ),
    Row("webhooks.batching.enabled", True, "off", False, "x", ("WEBHOOK_BATCHING_ENABLED",)),
    Row("webhooks.batching.duration", 50, "0", 0, 60_001, ("WEBHOOK_BATCHING_DURATION",)),
    Row("webhooks.hold_ms", 3000, "0", 0, 60_001, ("WEBHOOK_HOLD_MS",)),
    Row("webhooks.max_attempts", 9, "1", 1, 10, ("WEBHOOK_MAX_ATTEMPTS",)),
    Row("webhooks.concurrency", 20, "1", 1, 0, ("WEBHOOK_CONCURRENCY",)),
    Row("webhooks.request_timeout_ms", 10_000, "500", 500, 99, ("WEBHOOK_REQUEST_TIMEOUT_MS",)),
    Row("webhooks.allow_private", True, "no", False, "x", ("WEBHOOK_ALLOW_PRIVATE",)),
    Row("metrics.enabled", False, "yes", True, "x", ("METRICS_ENABLED",)),
    Row("metrics.driver", "prometheus", "Prometheus", "prometheus", "statsd", ("METRICS_DRIVER",)),
    Row("metrics.host", "0.0.0.0", "h", "h", 1, ("METRICS_HOST",)),
    Row("metrics.port", 9601, "1", 1, 65536, ("METRICS_PORT",)),
    Row(
        "metrics.prometheus.prefix",
        "sockudo_",
        "p_",
        "p_",
        1,
        ("METRICS_PROMETHEUS_PREFIX", "PROMETHEUS_METRICS_PREFIX"),
    ),
    Row("ssl.enabled", False, "no", False, "x", ("SSL_ENABLED",)),
    Row("ssl.cert_path", "", "/c.pem", "/c.pem", 1, ("SSL_CERT_PATH",)),
    Row("ssl.key_path", "", "/k.pem", "/k.pem", 1, ("SSL_KEY_PATH",)),
    Row("ssl.passphrase", None, "x", "x", 1, ("SSL_PASSPHRASE",)),
    Row("ssl.ca_path", None, "/ca.pem", "/ca.pem", 1, ("SSL_CA_PATH",)),
    Row("ssl.redirect_http", False, "1", True, "x", ("SSL_REDIRECT_HTTP",)),
    Row("ssl.http_port", 80, "8080", 8080, 0, ("SSL_HTTP_PORT",)),
    Row("unix_socket.enabled", False, "no", False, "x", ("UNIX_SOCKET_ENABLED",)),
    Row("unix_socket.path", "/var/run/sockudo/sockudo.sock", "/s", "/s", 1, ("UNIX_SOCKET_PATH",)),
    Row("unix_socket.permission_mode", "660", "600", "600", "888", ("UNIX_SOCKET_PERMISSION_MODE",)),
    Row("cleanup.async_enabled", True, "off", False, "x", ("CLEANUP_ASYNC_ENABLED",)),
    Row("cleanup.fallback_to_sync", True, "off", False, "x", ("CLEANUP_FALLBACK_TO_SYNC",)),
    Row("cleanup.queue_buffer_size", 50_000, "90", 90, 0, ("CLEANUP_QUEUE_BUFFER_SIZE",)),
    Row("cleanup.batch_size", 25, "9", 9, 0, ("CLEANUP_BATCH_SIZE",)),
    Row("cleanup.batch_timeout_ms", 50, "9", 9, 60_001, ("CLEANUP_BATCH_TIMEOUT_MS",)),
    Row("cleanup.worker_threads", "auto", "4", 4, 0, ("CLEANUP_WORKER_THREADS",)),
    Row("cleanup.max_retry_attempts", 2, "0", 0, -1, ("CLEANUP_MAX_RETRY_ATTEMPTS",)),
    Row("channel_limits.max_name_length", 200, "100", 100, 0),
    Row("channel_limits.cache_ttl", 3600, "60", 60, "1h"),
    Row(
        "channel_limits.max_channels_per_connection",
        1000,
        "0",
        0,
        -1,
        ("CHANNEL_LIMITS_MAX_CHANNELS_PER_CONNECTION",),
    ),
    Row("event_limits.max_channels_at_once", 100, "10", 10, "ten"),
    Row("event_limits.max_name_length", 200, "50", 50, True),
    Row("event_limits.max_payload_in_kb", 100, "10", 10, "1e3"),
    Row("event_limits.max_batch_size", 10, "20", 20, "-1"),
    Row("presence.max_members_per_channel", 100, "500", 500, []),
    Row("presence.max_member_size_in_kb", 2, "4", 4, 0),
    Row("http_api.request_limit_in_mb", 10, "1", 1, 0.5),
    Row("http_api.max_bodies_in_flight_mb", 100, "200", 200, 0),
    Row("http_api.accept_traffic.memory_threshold", 0.9, "0.5", 0.5, 1.1),
    Row("http_api.response_limit_in_mb", 10, "1", 1, 0.5),
    Row("http_api.unknown_channel_not_found", False, "true", True, "true"),
    Row("websocket.max_buffer_kb", 1024, "2048", 2048, 0),
    Row("cors.credentials", True, "0", False, "x", ("CORS_CREDENTIALS",)),
    Row(
        "cors.origin",
        ("*",),
        "https://a.io, http://b.io:81",
        ("https://a.io", "http://b.io:81"),
        ["a.io"],
        ("CORS_ORIGINS",),
    ),
    Row("cors.methods", ("GET", "POST", "OPTIONS"), "GET,PUT", ("GET", "PUT"), ["G T"], ("CORS_METHODS",)),
    Row(
        "cors.allowed_headers",
        ("Authorization", "Content-Type", "X-Requested-With", "Accept"),
        "X-A",
        ("X-A",),
        ["X:A"],
        ("CORS_HEADERS",),
    ),
    Row("rate_limiter.enabled", False, "1", True, "x", ("RATE_LIMITER_ENABLED",)),
    Row("rate_limiter.driver", "memory", "Redis-Cluster", "redis-cluster", "oracle", ("RATE_LIMITER_DRIVER",)),
    Row("rate_limiter.ipv6_prefix", 64, "56", 56, 129, ("RATE_LIMITER_IPV6_PREFIX",)),
    Row("rate_limiter.api_rate_limit.max_requests", 100, "9", 9, 0, ("RATE_LIMITER_API_MAX_REQUESTS",)),
    Row("rate_limiter.api_rate_limit.window_seconds", 60, "9", 9, 0, ("RATE_LIMITER_API_WINDOW_SECONDS",)),
    Row("rate_limiter.api_rate_limit.identifier", "api", "x", "x", 1),
    Row("rate_limiter.api_rate_limit.trust_hops", 0, "2", 2, -1, ("RATE_LIMITER_API_TRUST_HOPS",)),
    Row(
        "rate_limiter.websocket_rate_limit.max_requests",
        20,
        "9",
        9,
        0,
        ("RATE_LIMITER_WS_MAX_REQUESTS", "RATE_LIMITER_WEBSOCKET_MAX_REQUESTS"),
    ),
    Row(
        "rate_limiter.websocket_rate_limit.window_seconds",
        60,
        "9",
        9,
        0,
        ("RATE_LIMITER_WS_WINDOW_SECONDS", "RATE_LIMITER_WEBSOCKET_WINDOW_SECONDS"),
    ),
    Row("rate_limiter.redis.prefix", "sockudo_rl:", "p:", "p:", 1, ("RATE_LIMITER_REDIS_PREFIX",)),
    Row(
        "rate_limiter.redis.url_override",
        None,
        "redis://a",
        "redis://a",
        "http://a",
        ("REDIS_URL", "RATE_LIMITER_REDIS_URL"),
    ),
    Row("rate_limiter.redis.cluster_mode", False, "on", True, "x"),
    Row("rate_limiter.websocket_rate_limit.identifier", "websocket_connect", "x", "x", False),
    Row(
        "rate_limiter.websocket_rate_limit.trust_hops",
        0,
        "2",
        2,
        -1,
        ("RATE_LIMITER_WS_TRUST_HOPS", "RATE_LIMITER_WEBSOCKET_TRUST_HOPS"),
    ),
    Row("logging.colors_enabled", True, "no", False, "x", ("LOG_COLORS_ENABLED",)),
    Row("logging.include_target", True, "FALSE", False, "x", ("LOG_INCLUDE_TARGET",)),
]

# Settings that have no key in a file.
ENVIRONMENT_ROWS = [
    Row("logging.output_format", "human", "JSON", "json", "xml", ("LOG_OUTPUT_FORMAT", "LOG_FORMAT")),
    Row("logging.rust_log", None, "debug,hyper=off", "debug,hyper=off", "sockudo=loud", ("RUST_LOG",)),
    Row("logging.level", None, "WARN", "warn", "loud", ("LOG_LEVEL",)),
    Row("logging.debug_filter", "info,sockudo=debug,tower_http=debug", "trace", "trace", "a=b", ("SOCKUDO_LOG_DEBUG",)),
    Row("logging.production_filter", "info", "error", "error", "a b", ("SOCKUDO_LOG_PROD",)),
]

# What the tables do not list: apps have tests of their own, and the process id has no fixed default.
ELSEWHERE = {
    "adapter.redis.redis_pub_options.sentinel",
    "adapter.redis.redis_sub_options.sentinel",
    "app_manager.apps",
    "app_manager.array.apps",
    "database.redis.cluster_nodes",
    "database.redis.cluster.username",
    "database.redis.sentinels",
    "instance.process_id",
}

BY_VARIABLE = [(row, variable) for row in [*ROWS, *ENVIRONMENT_ROWS] for variable in row.variables]


def at(settings: Settings, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_the_tables_list_every_setting() -> None:
    assert {row.path for row in [*ROWS, *ENVIRONMENT_ROWS]} | ELSEWHERE == set(setting_paths(Settings))


@pytest.mark.parametrize("row", [*ROWS, *ENVIRONMENT_ROWS], ids=lambda row: row.path)
def test_a_setting_has_its_default(row: Row, load_document: Load) -> None:
    assert at(load_document().settings, row.path) == row.default


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_setting_is_read_from_a_file(row: Row, load_document: Load) -> None:
    value = list(row.value) if isinstance(row.value, tuple) else row.value

    assert at(load_document(document_with(row.path, value)).settings, row.path) == row.value


@pytest.mark.parametrize("row", [row for row in ROWS if type(row.value) is int], ids=lambda row: row.path)
def test_a_number_may_be_a_string_in_a_file(row: Row, load_document: Load) -> None:
    assert at(load_document(document_with(row.path, row.text)).settings, row.path) == row.value


@pytest.mark.parametrize(("row", "variable"), BY_VARIABLE, ids=lambda part: part if isinstance(part, str) else "")
def test_a_variable_sets_its_setting(row: Row, variable: str, load_document: Load) -> None:
    assert at(load_document(environ={variable: f" {row.text} "}).settings, row.path) == row.value


@pytest.mark.parametrize(("row", "variable"), BY_VARIABLE, ids=lambda part: part if isinstance(part, str) else "")
def test_an_empty_variable_counts_as_unset(row: Row, variable: str, load_document: Load) -> None:
    assert at(load_document(environ={variable: "  "}).settings, row.path) == row.default


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.path)
def test_a_wrong_value_in_a_file_is_a_problem_with_its_path(row: Row, problems_of: Problems) -> None:
    problems = problems_of(document_with(row.path, row.wrong))

    assert len(problems) == 1
    assert problems[0].startswith((f"{row.path}: expected ", f"{row.path}[0]: expected "))


def takes_any_text(row: Row) -> bool:
    """Tell whether only what is no text is wrong, which a variable cannot say."""
    return isinstance(row.value, (str, tuple)) and not isinstance(row.wrong, (str, list))


@pytest.mark.parametrize(
    ("row", "variable"),
    [(row, variable) for row, variable in BY_VARIABLE if not takes_any_text(row)],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_wrong_value_in_a_variable_is_a_problem_with_its_name(row: Row, variable: str, problems_of: Problems) -> None:
    text = ",".join(row.wrong) if isinstance(row.wrong, list) else str(row.wrong)
    problems = problems_of(choosing(row.path), {variable: text})

    assert problems
    assert all(problem.startswith(f"{variable} (") for problem in problems)


def test_every_setting_in_the_tables_names_all_its_variables() -> None:
    for row in [*ROWS, *ENVIRONMENT_ROWS]:
        section: Any = Settings()
        *parents, last = row.path.split(".")
        for name in parents:
            section = getattr(section, name)
        mark = env_of(type(section).model_fields[last])
        assert set(mark.all_names if mark else ()) == set(row.variables), row.path


def test_the_process_id_is_random_unless_it_is_set(load_document: Load) -> None:
    first, second = load_document().settings.instance, load_document().settings.instance

    assert first.process_id != second.process_id
    assert load_document({"instance": {"process_id": "a"}}).settings.instance.process_id == "a"
    assert load_document(environ={"INSTANCE_PROCESS_ID": "b"}).settings.instance.process_id == "b"


@pytest.mark.parametrize(
    ("written", "kept"), [("/", ""), ("", ""), ("ws", "/ws"), ("/ws/", "/ws"), ("/a/b", "/a/b"), ("//", "")]
)
def test_a_path_prefix_is_kept_with_a_leading_slash_and_no_trailing_one(
    written: str, kept: str, load_document: Load
) -> None:
    assert load_document({"path_prefix": written}).settings.path_prefix == kept


@pytest.mark.parametrize("wrong", ["a b", "/a?b", "/a#b", "/a//b", "/ä"])
def test_a_path_prefix_that_is_no_path_is_a_problem(wrong: str, problems_of: Problems) -> None:
    assert problems_of({"path_prefix": wrong})[0].startswith('path_prefix: expected a path such as "/sockudo", got ')


@pytest.mark.parametrize("word", ["Any", "any", "*"])
def test_the_words_for_every_origin_are_the_same(word: str, load_document: Load) -> None:
    cors = load_document({"cors": {"origin": [word]}}).settings.cors

    assert cors.any_origin
    assert not cors.allow_credentials


@pytest.mark.parametrize(
    "origin",
    [
        "a.io",
        "https://a.io/path",
        "https://",
        "https://a b",
        "https://u@a.io",
        "wss://a.io",
        "https://*.a.io",
        "",
        "null",
    ],
)
def test_a_cors_origin_that_browsers_never_send_is_a_problem(origin: str, problems_of: Problems) -> None:
    (problem,) = problems_of({"cors": {"origin": [origin]}})

    assert problem.startswith(
        f'cors.origin[0]: expected "*" or an origin such as "https://example.com", got "{origin}": it '
    )


@pytest.mark.parametrize(
    "origin",
    ["https://a.io", "HTTPS://A.io", "https://a.io:443", " https://a.io ", "https://a.io/", "https://a.io:443/"],
)
def test_a_cors_origin_is_kept_as_browsers_send_it(origin: str, load_document: Load) -> None:
    assert load_document({"cors": {"origin": [origin]}}).settings.cors.origin == ("https://a.io",)


def test_credentials_are_allowed_for_single_origins_only(load_document: Load) -> None:
    assert load_document({"cors": {"origin": ["https://a.io"]}}).settings.cors.allow_credentials
    assert not load_document({"cors": {"origin": []}}).settings.cors.allow_credentials


def test_cors_settings_without_effect_are_warned_about(load_document: Load) -> None:
    warnings = load_document({"cors": {"origin": ["*", "https://a.io"], "credentials": True}}).warnings

    assert any("the others have no effect" in warning for warning in warnings)
    assert any("cors.credentials has no effect" in warning for warning in warnings)


def test_null_trust_hops_trust_no_proxy(load_document: Load) -> None:
    limiter = load_document({"rate_limiter": {"api_rate_limit": {"trust_hops": None}}}).settings.rate_limiter

    assert limiter.api_rate_limit.trust_hops == 0


def test_logging_may_be_null(load_document: Load) -> None:
    assert load_document({"logging": None}).settings.logging.colors_enabled


@pytest.mark.parametrize(
    ("environ", "level"),
    [
        ({}, "info"),
        ({"DEBUG": "true"}, "debug"),
        ({"DEBUG": "true", "SOCKUDO_LOG_DEBUG": "warn"}, "warn"),
        ({"SOCKUDO_LOG_PROD": "error"}, "error"),
        ({"LOG_LEVEL": "warning", "SOCKUDO_LOG_PROD": "error"}, "warn"),
        ({"RUST_LOG": "info,sockudo=debug", "LOG_LEVEL": "error"}, "debug"),
        ({"RUST_LOG": "sockudo=error,debug"}, "error"),
        ({"RUST_LOG": "sockudo"}, "trace"),
        ({"RUST_LOG": "OFF"}, "off"),
        ({"RUST_LOG": "hyper=debug, tokio::net=trace,"}, "info"),
        ({"RUST_LOG": "a[span{x=1,y=2}]=warn"}, "info"),
    ],
)
def test_the_most_specific_filter_decides_the_log_level(
    environ: dict[str, str], level: str, load_document: Load
) -> None:
    assert load_document(environ=environ).settings.log_level == level


@pytest.mark.parametrize(("written", "kept"), [(1, 1), ("8", 8), (1024, 1024), ("auto", "auto"), ("Auto", "auto")])
def test_workers_are_a_number_or_auto(written: object, kept: object, load_document: Load) -> None:
    assert load_document({"workers": written}).settings.workers == kept


@pytest.mark.parametrize("wrong", [0, -1, 1025, True, 1.5, "two", None])
def test_another_number_of_workers_is_a_problem(wrong: object, problems_of: Problems) -> None:
    assert problems_of({"workers": wrong})[0].startswith('workers: expected an integer between 1 and 1024 or "auto"')
