"""The `sockudo` command: its group of subcommands and its options.

Without a subcommand it serves, as the original does, so `sockudo --config FILE` starts the server.

What a command does is imported when it is called, so that `sockudo --help`, a wrong option and completion in a shell
wait for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from sockudo import __version__
from sockudo.cli.later import LaterGroup
from sockudo.cli.supervise import supervise_if_told

_CONFIG_HELP: Final = "Configuration file, JSON or TOML (default: config/config.json, if it exists)."

# The servers whose configuration `import-config` reads.
SERVERS: Final = ("soketi", "reverb")

# The file is not checked by click: that it is missing is reported like every other problem of the configuration.
config_option = click.option("-c", "--config", type=click.Path(path_type=Path), metavar="FILE", help=_CONFIG_HELP)
host_option = click.option("--host", metavar="HOST", help="Address to listen on.")
# Text, because the settings say what a port may be.
port_option = click.option("--port", metavar="PORT", help="TCP port to listen on.")
json_option = click.option("--json", "as_json_lines", is_flag=True, help="One JSON object for each line.")
workers_option = click.option("--workers", metavar="N|auto", help="Processes that serve the port together.")


_APPS: Final = LaterGroup(
    "apps", "sockudo.cli.apps:apps", help="Manage the apps in the database of app_manager.driver."
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@host_option
@port_option
@workers_option
@click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, config: Path | None, host: str | None, port: str | None, workers: str | None) -> None:
    """A realtime server that speaks the Pusher Channels protocol.

    Without a command it serves.
    """
    called = context.invoked_subcommand
    if called is None:
        _serve(config, host, port, workers)
    # Options before a command are the defaults of the command's own.
    context.default_map = {
        "serve": {"config": config, "host": host, "port": port, "workers": workers},
        "check-config": {"file": config, "host": host, "port": port, "workers": workers},
        "nodes": {"config": config},
        "apps": {name: {"config": config} for name in _APPS.list_commands(context)} if called == _APPS.name else {},
        "webhooks": {name: {"config": config} for name in ("status", "failed", "retry", "tail")},
    }


main.add_command(_APPS)


@main.command()
@config_option
@host_option
@port_option
@workers_option
def serve(config: Path | None, host: str | None, port: str | None, workers: str | None) -> None:
    """Run the server."""
    _serve(config, host, port, workers)


def _serve(config: Path | None, host: str | None, port: str | None, workers: str | None) -> None:
    # Whoever calls the group and not `__main__.main` can become a supervisor too, a larger one.
    supervise_if_told()
    from sockudo.cli.serve import run_server

    run_server(config, host, port, workers)


@main.command()
@config_option
def nodes(config: Path | None) -> None:
    """Ask the nodes of the cluster who they are."""
    from sockudo.cli.nodes import list_nodes

    list_nodes(config)


@main.command("check-config")
@click.argument("file", type=click.Path(path_type=Path), metavar="[FILE]", required=False)
@host_option
@port_option
@workers_option
@click.option("--show", is_flag=True, help="Print every setting and where it comes from, without secrets.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How --show prints.")
def check_config(
    file: Path | None, host: str | None, port: str | None, workers: str | None, show: bool, form: str
) -> None:
    """Check a configuration file, together with the environment."""
    if form == "json" and not show:
        raise click.UsageError("--format json is for --show")
    from sockudo.cli.check_config import check
    from sockudo.cli.loading import load_or_exit

    loaded = load_or_exit(file, host=host, port=port, workers=workers)
    check(loaded, show=show, as_json_text=form == "json")


@main.command("import-config")
@click.argument("server", type=click.Choice(SERVERS))
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write (default: print)."
)
@click.option("--force", is_flag=True, help="Replace the file of --output if it exists.")
def import_config(server: str, file: Path, output: Path | None, force: bool) -> None:
    """Turn the configuration of soketi or Laravel Reverb into one for this server.

    FILE is their JSON or an .env file. What has no equal here is listed.
    """
    from sockudo.cli.import_config import convert_file

    convert_file(server, file, output, force=force)


@main.group()
def webhooks() -> None:
    """Look at the deliveries of webhooks, and try those again that failed."""


@webhooks.command()
@config_option
def status(config: Path | None) -> None:
    """Tell what waits in the queue, and for how long."""
    from sockudo.cli.webhooks import show_status

    show_status(config)


@webhooks.command()
@config_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many, the newest of them.")
@json_option
def failed(config: Path | None, limit: int, as_json_lines: bool) -> None:
    """List the deliveries that were given up, the newest last."""
    from sockudo.cli.webhooks import list_failed

    list_failed(config, limit, as_json_lines=as_json_lines)


@webhooks.command()
@config_option
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="Every delivery in the list.")
def retry(config: Path | None, ids: tuple[str, ...], everything: bool) -> None:
    """Try deliveries again that were given up."""
    from sockudo.cli.webhooks import retry_failed

    retry_failed(config, ids, everything=everything)


@webhooks.command("tail")
@config_option
@json_option
def tail_command(config: Path | None, as_json_lines: bool) -> None:
    """Show deliveries of all nodes as they happen."""
    from sockudo.cli.webhooks import tail

    tail(config, as_json_lines=as_json_lines)
