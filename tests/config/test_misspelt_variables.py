"""Variables without a prefix of this server: a warning where one is near to a restriction, and silence otherwise."""

from __future__ import annotations

import pytest

from .conftest import Load, document_with

FILE = document_with("app_manager.array.apps", [{"id": "a", "key": "k", "secret": "s"}])


@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("CORS_ORIGIN", " (did you mean CORS_ORIGINS?)"),
        ("cors_origins", " (did you mean CORS_ORIGINS?)"),
        ("CORS_ALLOWED_ORIGINS", ""),
        ("RATE_LIMITER_ENABLE", " (did you mean RATE_LIMITER_ENABLED?)"),
        ("RATE_LIMIT_ENABLED", " (did you mean RATE_LIMITER_ENABLED?)"),
        ("RATE_LIMITER_API_MAX", ""),
        ("RATE_LIMITER_BURST", ""),
        ("WEBHOOKS_ALLOW_PRIVATE", " (did you mean WEBHOOK_ALLOW_PRIVATE?)"),
        ("SSL_ENABLE", " (did you mean SSL_ENABLED?)"),
        ("USER_AUTHENTICATION_TIMOUT", " (did you mean USER_AUTHENTICATION_TIMEOUT?)"),
        ("EVENT_LIMITS_MAX_PAYLOAD_IN_KB", ": set event_limits.max_payload_in_kb in a file"),
        ("PRESENCE_MAX_MEMBERS_PER_CHANNEL", ": set presence.max_members_per_channel in a file"),
        ("HTTP_API_REQUEST_LIMIT_IN_MB", ": set http_api.request_limit_in_mb in a file"),
        ("DATABASE_POSTGRES_SSLMODE", ""),
        ("DATABASE_REDIS_TLS", ""),
    ],
)
def test_a_variable_near_a_restriction_is_a_warning(variable: str, advice: str, load_document: Load) -> None:
    assert load_document(FILE, {variable: "hush"}).warnings == [f"unknown variable {variable} has no effect{advice}"]
    assert load_document(FILE, {variable: " "}).warnings == []


def test_variables_of_other_programs_are_no_warnings(load_document: Load) -> None:
    shared = """
        APP_DEBUG APP_ENV APP_KEY APP_NAME APP_URL AWS_BUCKET CACHE_PREFIX CACHE_STORE DATABASE_URL DB_CONNECTION
        DB_HOST DB_PASSWORD HOME HOSTNAME KUBERNETES_SERVICE_HOST LOG_CHANNEL LOG_STACK MAIL_HOST MODE MYSQL_HOST
        MYSQL_PASSWORD NODE_ENV PATH POSTGRES_HOST_AUTH_METHOD POSTGRES_PASSWORD PUSHER_APP_CLUSTER PUSHER_HOST
        PUSHER_PORT PUSHER_SCHEME PYTHONUNBUFFERED QUEUE_CONNECTION REDIS_HOST REDIS_PASSWORD REDIS_PORT SESSION_DOMAIN
        SSL_CERT_DIR SSL_CERT_FILE TZ VIRTUAL_HOST VITE_PUSHER_HOST WEBHOOK_SECRET
    """
    services = {"CORS_SERVICE_HOST": "10.0.0.1", "CORS_PORT": "tcp://10.0.0.1:80", "RATE_LIMIT_SERVICE_PORT": "80"}

    assert load_document(FILE, {**dict.fromkeys(shared.split(), "x"), **services}).warnings == []


def test_a_variable_that_the_file_puts_in_is_no_warning(load_document: Load) -> None:
    document = FILE | {"cors": {"origin": ["${CORS_ORIGIN}"]}}

    assert load_document(document, {"CORS_ORIGIN": "https://a.io"}).warnings == []
