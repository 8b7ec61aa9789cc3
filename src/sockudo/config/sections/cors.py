"""`cors`: the web pages that may read responses of the HTTP API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sockudo.config.kinds.section import Section, env
from sockudo.config.kinds.values import Flag
from sockudo.config.kinds.web_values import Token, WebOrigin


class CorsSettings(Section):
    """The web pages that may read responses of the HTTP API. Independent of an app's allowed_origins."""

    credentials: Annotated[Flag, env("CORS_CREDENTIALS")] = Field(
        default=True, description="Whether pages may send credentials. Has no effect while every origin is allowed."
    )
    origin: Annotated[tuple[Annotated[str, WebOrigin()], ...], env("CORS_ORIGINS")] = Field(
        default=("*",), description="Allowed origins, compared exactly; * allows all."
    )
    methods: Annotated[tuple[Annotated[str, Token("an HTTP method")], ...], env("CORS_METHODS")] = Field(
        default=("GET", "POST", "OPTIONS"), description="Methods that pages may use."
    )
    allowed_headers: Annotated[tuple[Annotated[str, Token("a header")], ...], env("CORS_HEADERS")] = Field(
        default=("Authorization", "Content-Type", "X-Requested-With", "Accept"),
        description="Headers that pages may send.",
    )

    @property
    def any_origin(self) -> bool:
        """Whether every origin is allowed."""
        return "*" in self.origin

    @property
    def allow_credentials(self) -> bool:
        """Whether credentials are really allowed: browsers refuse them together with every origin."""
        return self.credentials and bool(self.origin) and not self.any_origin

    def advice(self) -> list[str]:
        """What in this section has no effect."""
        found = []
        if self.any_origin and len(self.origin) > 1:
            found.append('cors.origin: "*" allows every origin, the others have no effect')
        if self.credentials and "credentials" in self.model_fields_set and not self.allow_credentials:
            found.append("cors.credentials has no effect, because cors.origin does not list single origins")
        return found
