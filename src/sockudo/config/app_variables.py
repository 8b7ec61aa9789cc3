"""Reads the app that environment variables describe: a complete one, none, or a problem."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sockudo.config.checks.unread_variables import OWN_APP, UnreadVariable
from sockudo.config.environment import Reading, read_environment, variables_of
from sockudo.config.sections.app import AppSettings
from sockudo.config.sections.default_app import IDENTITY, DefaultAppSettings

_ENABLED: Final = f"{OWN_APP}ENABLED"
# What back ends call the app that they publish to, and our names with another beginning. This server reads neither.
_OF_OTHERS: Final = re.compile(
    r"PUSHER_(APP_)?(ID|KEY|SECRET)|(?!SOCKUDO_|SOKETI_|REVERB_)(\w+_)?DEFAULT_APP_(ID|KEY|SECRET)"
)
_ORIGINS: Final = f"{OWN_APP}ALLOWED_ORIGINS"
_NEEDED: Final = " and ".join((", ".join(IDENTITY[:-1]), IDENTITY[-1]))


@dataclass(frozen=True, slots=True)
class AppVariables:
    """The variables that are about an app.

    Attributes:
        readings: what the environment's app reads.
        empty: variables of it that are there and empty.
        unread: variables with such a name that nothing reads.
        others: variables that say that apps are meant to come from somewhere, although not from here.
    """

    readings: Sequence[Reading]
    empty: Sequence[str]
    unread: Sequence[UnreadVariable]
    others: Sequence[str]

    @property
    def given(self) -> list[str]:
        """The variables of an app that are set, whether anything reads them or not."""
        return [one.variable for one in self.readings] + [one.name for one in self._own_unread if one.is_set]

    @property
    def missing(self) -> list[str]:
        """Which parts of its identity are not set."""
        read = {one.variable for one in self.readings}
        return [name for name in IDENTITY if name not in read]

    @property
    def is_off(self) -> bool:
        """Whether they say that there is no app."""
        return any(one.variable == _ENABLED and one.value is False for one in self.readings)

    @property
    def is_silent(self) -> bool:
        """Whether no variable is about an app at all."""
        return not (self.readings or self.empty or self.others or any(self._of_apps))

    @property
    def _of_apps(self) -> list[UnreadVariable]:
        return [one for one in self.unread if one.is_of_an_app]

    @property
    def _own_unread(self) -> list[UnreadVariable]:
        return [one for one in self._of_apps if one.is_own]

    def problems(self, *, is_only_source: bool) -> list[str]:
        """Say what is incomplete. Where they are the only source of apps, an empty or foreign variable counts too."""
        if self.is_off:
            return []
        found = self._incomplete(self.given) if self.missing and self._is_attempt(is_only_source) else []
        if is_only_source and self.missing:
            found += self._foreign()
        return found

    def _is_attempt(self, is_only_source: bool) -> bool:
        # Client events alone describe no app beside those of a file, as in the original.
        return is_only_source or any(name.upper().startswith(OWN_APP) for name in self.given)

    def _incomplete(self, given: Sequence[str]) -> list[str]:
        seen = [*given, *self.empty, *(one.name for one in self._own_unread if not one.is_set)]
        if not seen:
            return []
        lacks = [f"{name} is {'empty' if name in self.empty else 'not set'}" for name in self.missing]
        hints = [f"{one.name} is not read: did you mean {one.meant}?" for one in self._own_unread if one.meant]
        text = f"an app from the environment needs {_NEEDED}; {'; '.join(lacks + hints)}"
        return [f"{', '.join(dict.fromkeys(seen))}: {text}"]

    def _foreign(self) -> list[str]:
        names = [one.name for one in self._of_apps if not one.is_own]
        if not names:
            return []
        text = f"this server does not read an app from these; it needs {_NEEDED}, or a file with app_manager.array.apps"
        return [f"{', '.join(names)}: {text}"]

    def advice(self) -> list[str]:
        """Say why there is no demo app beside the variables of others."""
        if not self.others:
            return []
        return [f"{', '.join(self.others)}: this server does not read an app from these, and serves no demo app"]

    def open_origins(self, apps: Collection[AppSettings]) -> list[str]:
        """Say that an empty list of origins keeps nobody out of the environment's app."""
        own = {str(one.value) for one in self.readings if one.variable == IDENTITY[0]}
        if _ORIGINS not in self.empty or not any(app.id in own and not app.allowed_origins for app in apps):
            return []
        return [f"{_ORIGINS} is empty, so every origin may connect; set it to * if that is meant"]


def app_variables(
    environ: Mapping[str, str], unread: Sequence[UnreadVariable], mentioned: Collection[str]
) -> AppVariables:
    """Collect what is about an app; a variable that only a file has `mentioned` describes none."""
    known = set(variables_of(DefaultAppSettings))
    readings = read_environment(DefaultAppSettings, environ)
    read = {one.variable for one in readings}
    if not read.issuperset(IDENTITY):
        readings = [one for one in readings if one.variable not in mentioned]
    empty = [name for name in sorted(known) if name in environ and name not in read | set(mentioned)]
    others = [
        name
        for name, text in sorted(environ.items())
        if _OF_OTHERS.fullmatch(name.upper()) and text.strip() and name not in mentioned
    ]
    others += [one.name for one in unread if one.is_of_an_app_manager and one.is_set]
    return AppVariables(readings, empty, [one for one in unread if one.is_of_an_app], others)
