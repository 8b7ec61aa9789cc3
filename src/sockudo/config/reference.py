"""Write docs/configuration.md from the declarations: `python -m sockudo.config.reference docs/configuration.md`.

Without a file it prints the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sockudo.config.checks.unknown import item_section_of
from sockudo.config.files import DEFAULT_FILES, LOCATION_VARIABLE
from sockudo.config.kinds.section import Section, env_of, key_of, section_of
from sockudo.config.kinds.values import Check
from sockudo.config.model import Settings
from sockudo.config.sections.app import DEMO_APP, AppSettings
from sockudo.config.sections.default_app import DefaultAppSettings
from sockudo.config.sections.webhook import WebhookFilter, WebhookLambda, WebhookSettings

_HEAD: Final = """# Configuration

Settings come from four places. A later place wins over an earlier one, value by value:

1. the defaults below
2. a file: the one given with `--config`, else the one named by `{variable}`, else {files} if it exists
3. environment variables (an empty one counts as unset; lists are separated by commas)
4. `--host`, `--port` and `--workers` of `sockudo serve`

`sockudo check-config --show` prints every setting with its value and its source, without secrets. `--format json`
prints the same for programs.

Files are JSON or TOML. You may write numbers as strings (`"6001"`). A wrong value stops the start, and the server lists
every problem at once. In the section of an unused driver, a wrong value is only a warning. `sockudo check-config FILE`
does the same without starting a server.

An unknown key is a warning, unless it may restrict something. Such a key stops the start, because to ignore it could
widen access. These are unknown keys of an app or a webhook whose names speak of limits, origins, channels, switches and
the like, unknown conditions of a filter, and elsewhere keys whose names are close to that of a restricting setting.

In the texts of a file, the server replaces `${{NAME}}` by the variable of that name, and `${{NAME:-default}}` by the
variable, or by the default if the variable is unset or empty; `$${{` is a plain `${{`. It does so once, after it has
parsed the file, and never in keys, other variables or rows of a database. A switch, a number or a list may be a
variable too: `"${{PORT}}"`. A missing variable stops the start. So does an empty variable in place of a credential or a
list. No error shows the value of a variable that a file names.

The server warns about a variable that begins with `SOCKUDO_`, `SOKETI_` or `REVERB_` and that nothing reads, and names
the nearest one. It ignores those that Kubernetes injects for a service. The variable stops the start if its name looks
like a restriction of an app (`SOCKUDO_DEFAULT_APP_ALLOWED_ORIGIN`), because the server would be open without it.

Where a row names several environment variables, the first that is set wins. Where the key is "-", only the environment
can set the value.
"""

_APPS: Final = """
## An app

Each entry of `app_manager.array.apps` (or of `app_manager.apps`). Ids and keys must be unique. Apps at another place of
a file stop the start.

The memory driver serves a demo app if there is no configuration file and no variable of an app at all: id `{demo.id}`,
key `{demo.key}`, secret `{demo.secret}`, client events on. Its secret is public knowledge, so it is for a first try
only. A file without an app, an empty list and `SOCKUDO_DEFAULT_APP_ENABLED=false` mean no app: the server starts with a
warning, and no client can connect. So do `PUSHER_APP_ID`, `PUSHER_APP_KEY` and `PUSHER_APP_SECRET`, which back ends
read, `DEFAULT_APP_KEY` with any other beginning than `SOCKUDO_`, and variables such as `SOKETI_APP_MANAGER_DRIVER`,
where nothing else describes an app.

An app may have its properties in a `policy`, as newer files of Sockudo have them: the `max_...` limits in
`policy.limits`, the `enable_...` switches in `policy.features`, `allowed_origins` in `policy.channels`, and
`policy.webhooks`. The server refuses a property with one value in the policy and another beside it, and every
other restriction in a policy, such as `channel_namespaces`. It warns about features that this version does not have
(history, idempotency, connection recovery, delta compression, annotations).

The server keeps origins as browsers write them: in lower case, without a default port and without a slash at the end.
It refuses an origin that no browser sends (`wss://...`, one with a path, `localhost:*` without a scheme).
"""

_DEFAULT_APP: Final = """
## An app from the environment

The server adds this app to those of the file when id, key and secret are all set. Its limits are {limit} unless set,
unlike those of an app in a file. If the file has an app with the same id, the variables that are set replace those
properties of it, and all others stay as they are in the file.

Any of these variables without id, key and secret stops the start, with or without a file. If nothing else describes an
app, empty variables stop the start too, and so do similar variables of other servers: `SOCKUDO_APP_ID`,
`SOKETI_DEFAULT_APP_ID`, `REVERB_APP_ID` and their neighbours. A variable that a file names as `${{NAME}}` is part of
that file instead.
"""

_EXAMPLE: Final = {
    "host": "0.0.0.0",
    "port": 6001,
    "app_manager": {
        "array": {
            "apps": [
                {
                    "id": "chat",
                    "key": "chat-key",
                    "secret": "change-me",
                    "enable_client_messages": True,
                    "allowed_origins": ["https://*.example.com"],
                }
            ]
        }
    },
    "rate_limiter": {"enabled": True, "api_rate_limit": {"max_requests": 6000, "window_seconds": 60}},
}

_EXAMPLE_TOML: Final = """host = "0.0.0.0"
port = 6001

[[app_manager.array.apps]]
id = "chat"
key = "chat-key"
secret = "change-me"
enable_client_messages = true
allowed_origins = ["https://*.example.com"]

[rate_limiter]
enabled = true

[rate_limiter.api_rate_limit]
max_requests = 6000
window_seconds = 60
"""


def reference() -> str:
    """The whole page."""
    files = " or ".join(f"`{name}`" for name in DEFAULT_FILES)
    parts = [_HEAD.format(variable=LOCATION_VARIABLE, files=files), *_settings()]
    parts += [_APPS.format(demo=DEMO_APP), _table(AppSettings, with_environment=False)]
    parts += ["\n### A webhook of an app\n", _table(WebhookSettings, with_environment=False)]
    parts += [_table(WebhookFilter, "filter", with_environment=False, heads=False)]
    parts += [_table(WebhookLambda, "lambda", with_environment=False, heads=False)]
    limit = DefaultAppSettings.model_fields["max_connections"].default
    parts += [_DEFAULT_APP.format(limit=limit), _table(DefaultAppSettings, key_column=False)]
    parts.append("\n## By example\n")
    parts.append(f"\n```json\n{json.dumps(_EXAMPLE, indent=2)}\n```\n")
    parts.append(f"\nThe same as TOML:\n\n```toml\n{_EXAMPLE_TOML}```\n")
    return "".join(parts)


def _settings() -> Iterator[str]:
    top = {name: field for name, field in Settings.model_fields.items() if section_of(field) is None}
    yield "\n## Server\n\nKeys at the top level.\n" + _heads() + "".join(_rows(top))
    for name, field in Settings.model_fields.items():
        section = section_of(field)
        if section is not None:
            yield f"\n## `{name}`\n\n{_intro(section)}\n{_table(section, name)}"


def _intro(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())


def _table(
    model: type[Section], path: str = "", *, with_environment: bool = True, key_column: bool = True, heads: bool = True
) -> str:
    head = _heads(with_environment=with_environment, key_column=key_column) if heads else ""
    return head + "".join(_rows(model.model_fields, path, with_environment=with_environment, key_column=key_column))


def _heads(*, with_environment: bool = True, key_column: bool = True) -> str:
    columns = ["Key"] * key_column + ["Type", "Default"] + ["Environment"] * with_environment + ["What it does"]
    return f"\n{_row(columns)}{_row(['---'] * len(columns))}"


def _rows(
    fields: dict[str, FieldInfo], path: str = "", *, with_environment: bool = True, key_column: bool = True
) -> Iterator[str]:
    for name, field in fields.items():
        key = f"{path}.{key_of(name, field)}" if path else key_of(name, field)
        inner = section_of(field)
        if inner is not None:
            yield from _rows(inner.model_fields, key)
            continue
        mark = env_of(field)
        variables = ", ".join(f"`{name}`" for name in mark.all_names) if mark else ""
        shown_key = f"`{key}`" if mark is None or mark.file else "-"
        columns = [shown_key] * key_column + [_type(field), _default(field)]
        yield _row([*columns, *[variables] * with_environment, field.description or ""])


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _type(field: FieldInfo) -> str:
    listed = get_origin(field.annotation) is tuple
    if item_section_of(field) is not None:
        return "list of objects" if listed else "object or null"
    if get_origin(field.annotation) is dict:
        return "object of strings"
    marks = get_args(field.annotation)[0].__metadata__ if listed else field.metadata
    name = next(mark.type_name for mark in marks if isinstance(mark, Check))
    return f"list, each {name}" if listed else name


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default_text" in extra:
        return str(extra["default_text"])
    if field.is_required():
        return "required"
    value: Any = field.default if field.default is not PydanticUndefined else field.default_factory
    if callable(value):
        return "`{}`"
    return f"`{json.dumps(value)}`"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
