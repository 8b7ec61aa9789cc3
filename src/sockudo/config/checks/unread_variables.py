"""Finds variables that no setting reads, though their prefix is that of this server, soketi or Laravel Reverb."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

OWN: Final = "SOCKUDO_"
OWN_APP: Final = "SOCKUDO_DEFAULT_APP_"
_OTHERS: Final = {"SOKETI_": "soketi", "REVERB_": "Laravel Reverb"}
# Sockudo reads these; this version has not got what they set.
_NOT_YET: Final = frozenset({f"{OWN_APP}ANNOTATIONS_ENABLED"})

# Kubernetes and container links describe every service to its neighbours, here those called sockudo, soketi or reverb.
_SERVICE: Final = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)|(SOCKUDO|SOKETI|REVERB)_PORT_\w+|\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
    r"|SOCKUDO_PORT",
    re.ASCII,
)
_SERVICE_URL: Final = re.compile(r"(tcp|udp|sctp)://")

_RESTRICTIONS: Final = frozenset(
    f"{OWN_APP}{name}" for name in ("ENABLED", "ALLOWED_ORIGINS", "ENABLE_USER_AUTHENTICATION")
)
# What a name says if it is meant to keep somebody out, however it is spelt.
_RESTRICTIVE_WORDS: Final = re.compile(
    r"_(ORIGINS?|DOMAINS?|HOSTS?|ALLOW(ED)?(_\w+)?|DENY|DENIED|BLOCK(ED)?|AUTH\w*)$|_APP_(EN|DIS)ABLED?$", re.ASCII
)
_WORD_APP: Final = re.compile(
    r"(^|_)(DEFAULT_?)?APPS?(_|ID$|KEY$|SECRET$|$)"
    # An identity without a word for what it is of: SOCKUDO_KEY, SOCKUDO_DEFAULT_SECRET.
    r"|^(SOCKUDO|SOKETI|REVERB)_(DEFAULT_)?(ID|KEY|SECRET)$",
    re.ASCII,
)
_NEAR: Final = 0.7


@dataclass(frozen=True, slots=True)
class UnreadVariable:
    """A variable that nothing reads. `meant` is the variable with the nearest name that something reads."""

    name: str
    is_set: bool
    meant: str | None

    @property
    def is_of_an_app(self) -> bool:
        """Whether it describes an app, by its name."""
        return _WORD_APP.search(self.name.upper()) is not None and not self.is_of_an_app_manager

    @property
    def is_of_an_app_manager(self) -> bool:
        """Whether it says where apps come from, by its name."""
        return "_APP_MANAGER_" in self.name.upper()

    @property
    def is_own(self) -> bool:
        """Whether it begins like the variables of the environment's app."""
        return self.name.upper().startswith(OWN_APP)

    @property
    def restricts(self) -> bool:
        """Whether it looks like one that keeps somebody out, who would come in without it."""
        name = self.name.upper()
        if not name.startswith(OWN) or name in _NOT_YET or not self.is_set:
            return False
        is_about_apps = self.is_of_an_app or "ORIGIN" in name or "AUTHENTICATION" in name
        return is_about_apps and (self.meant in _RESTRICTIONS or _RESTRICTIVE_WORDS.search(name) is not None)

    @property
    def warning(self) -> str:
        """Say that it has no effect, and what may be meant. Its value is never named: it may be a secret."""
        if self.name.upper() in _NOT_YET:
            return f"variable {self.name} has no effect: this version does not have that setting of Sockudo yet"
        server = next((server for prefix, server in _OTHERS.items() if self.name.upper().startswith(prefix)), None)
        hint = f" (did you mean {self.meant}?)" if self.meant else ""
        if server is None:
            return f"unknown variable {self.name} has no effect{hint}"
        command = f"sockudo import-config {server.split()[-1].lower()}"
        return f"variable {self.name} has no effect{hint}: this server does not read those of {server}; see {command}"

    @property
    def problem(self) -> str:
        """Refuse it, as what would restrict and has no effect."""
        hint = f"did you mean {self.meant}?" if self.meant else "remove it"
        return f"{self.name}: nothing reads this variable, and what it restricts would be open; {hint}"


def unread_variables(
    environ: Mapping[str, str], known: Iterable[str], mentioned: Collection[str]
) -> list[UnreadVariable]:
    """Find them by their names; `known` variables are read, and so are those that a file has `mentioned`."""
    read = frozenset(known)
    return [
        UnreadVariable(name, bool(text.strip()), _nearest(name, read))
        for name, text in sorted(environ.items())
        if has_prefix(name) and name not in read and name not in mentioned and not is_of_a_service(name, text)
    ]


def has_prefix(name: str) -> bool:
    """Tell whether a variable begins like those of this server, of soketi or of Laravel Reverb."""
    return name.upper().startswith((OWN, *_OTHERS))


def is_of_a_service(name: str, text: str) -> bool:
    """Tell whether a variable describes a neighbour, as Kubernetes and container links make them."""
    if _SERVICE.fullmatch(name) is not None:
        return True
    return name.endswith("_PORT") and _SERVICE_URL.match(text) is not None


def _nearest(name: str, read: Collection[str]) -> str | None:
    """Compare what the names set. A variable of the environment's app is compared with those of that app only."""
    is_own = name.upper().startswith(OWN_APP)
    is_of_app = "_APP_" in name.upper()
    # A limit of an app and one of the process may have the same short name; the later one here wins.
    ordered = sorted(read, key=lambda one: (("_APP_" in one) == is_of_app, one))
    names = {_short(one): one for one in ordered if one.startswith(OWN) or not is_own}
    short = _short(name)
    near = get_close_matches(short, names, cutoff=_NEAR)
    return next((names[one] for one in near if get_close_matches(_last(short), [_last(one)])), None)


def _last(short: str) -> str:
    """The last word, which says what kind of value it is: a port is never a misspelt role."""
    return short.rpartition("_")[2]


def _short(name: str) -> str:
    """The part of a name that says what it sets."""
    return re.sub(r"^(SOCKUDO|SOKETI|REVERB)_((DEFAULT_)?APP_(?!MANAGER_))?", "", name.upper())
