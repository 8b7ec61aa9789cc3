"""`ssl`: settings for TLS on the port of the server."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from sockudo.config.kinds.rules import check_with_rules, rule_broken
from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import AnyText, Flag, OneOf, OptionalWords, Whole


class SslSettings(Section):
    """TLS on the server's own port."""

    enabled: Annotated[Flag, env("SSL_ENABLED")] = Field(default=False, description="Whether the port speaks TLS.")
    cert_path: Annotated[AnyText, env("SSL_CERT_PATH")] = Field(
        default="", description="File with the certificate and its chain (PEM)."
    )
    key_path: Annotated[AnyText, env("SSL_KEY_PATH")] = Field(default="", description="File with its key (PEM).")
    passphrase: Annotated[OptionalWords, env("SSL_PASSPHRASE")] = Field(
        default=None, repr=False, description="Passphrase of the key."
    )
    ca_path: Annotated[OptionalWords, env("SSL_CA_PATH")] = Field(
        default=None, description="File with authorities (PEM), one of which must have signed a client's certificate."
    )
    min_version: Annotated[Literal["1.2", "1.3"], OneOf(("1.2", "1.3")), env("SSL_MIN_VERSION")] = Field(
        default="1.2", description="The oldest version of TLS that clients may speak. Not a setting of the original."
    )
    redirect_http: Annotated[Flag, env("SSL_REDIRECT_HTTP")] = Field(
        default=False, description="Whether plain HTTP on http_port is redirected."
    )
    http_port: Annotated[int, Whole(1, 65535, null=True, null_means=80), env("SSL_HTTP_PORT")] = Field(
        default=80, description="Port for plain HTTP; null means 80."
    )

    @model_validator(mode="wrap")
    @classmethod
    def _has_its_files(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        broken = []
        if isinstance(data, dict) and data.get("enabled") is True:
            names = [name for name in ("cert_path", "key_path") if data.get(name, "") == ""]
            broken = [rule_broken((name,), "is required while ssl.enabled is true") for name in names]
        return check_with_rules(cls.__name__, data, handler, broken)

    def advice(self) -> list[str]:
        """Warn that the port speaks no TLS, if its files are given and `enabled` is not set."""
        if self.enabled or "enabled" in self.model_fields_set or not (self.cert_path or self.key_path or self.ca_path):
            return []
        return ["the files of ssl have no effect, because ssl.enabled is not set: the port speaks no TLS"]
