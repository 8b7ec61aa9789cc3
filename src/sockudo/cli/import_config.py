"""`sockudo import-config`: convert the configuration of another server, and list the values that have no equal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from sockudo.cli.failures import EXIT_CONFIGURATION, report_problems
from sockudo.config.files import read_file
from sockudo.config.interpolation import escaped
from sockudo.config.load import problems_of
from sockudo.errors import ConfigError
from sockudo.migration import dotenv
from sockudo.migration.draft import Draft
from sockudo.migration.reverb import document as reverb
from sockudo.migration.soketi import document as soketi

_NO_APP: Final = 1
# What is written holds the secrets of apps.
_FOR_ITS_OWNER: Final = 0o600


@dataclass(frozen=True, slots=True)
class _Server:
    """How the configuration of another server is read and converted."""

    from_document: Callable[[Mapping[str, Any]], Draft]
    from_variables: Callable[[Mapping[str, str]], Draft]
    read_variables: Callable[[str], dict[str, str]]


SERVERS: Final = {
    "soketi": _Server(soketi.from_document, soketi.from_variables, dotenv.read_node),
    "reverb": _Server(reverb.from_document, reverb.from_variables, dotenv.read_laravel),
}


def convert_file(server: str, file: Path, output: Path | None, *, force: bool) -> None:
    """Write the converted configuration, to stdout or to a file.

    A file that cannot be read or written ends the process with status 2, and one in which no app is left with 1.
    """
    try:
        draft = _read(SERVERS[server], file)
        text = json.dumps(escaped(draft.document), indent=2, ensure_ascii=False) + "\n"
        if output is None:
            click.echo(text, nl=False)
        else:
            _write(output, text, force=force)
    except ConfigError as error:
        report_problems(error)
        sys.exit(EXIT_CONFIGURATION)
    _tell("The import left out or changed:", [str(remark) for remark in draft.remarks])
    _tell("The server does not start with the result; correct:", problems_of(draft.document))
    if not _has_apps(draft.document):
        _tell("The result has no app:", ["app_manager.array.apps is empty, so no client can connect; add an app"])
        sys.exit(_NO_APP)


def _has_apps(document: Mapping[str, Any]) -> bool:
    """Whether clients may find an app: one that is listed, or one in a database."""
    manager = document["app_manager"]
    return manager.get("driver", "memory") != "memory" or bool(manager["array"]["apps"])


def _read(server: _Server, file: Path) -> Draft:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror or error}"]) from error
    except ValueError as error:
        raise ConfigError([f"{file}: is not UTF-8 text"]) from error
    if text.lstrip().startswith("{"):
        return server.from_document(read_file(file))
    variables = server.read_variables(text)
    if not variables:
        raise ConfigError([f"{file}: is neither a JSON object nor an .env file"])
    return server.from_variables(variables)


def _write(output: Path, text: str, *, force: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with open(os.open(output, flags, _FOR_ITS_OWNER), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError([f"{output}: exists; --force replaces it"]) from error
    except OSError as error:
        raise ConfigError([f"{output}: cannot be written: {error.strerror or error}"]) from error


def _tell(head: str, lines: Sequence[str]) -> None:
    """List something on stderr, safe for a terminal: names come from the file as they are."""
    if lines:
        click.echo(head, err=True)
    for line in lines:
        shown = "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in line)
        click.echo(f"  {shown}", err=True)
