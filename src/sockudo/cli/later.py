"""A click group that imports each subcommand only when it is used."""

from __future__ import annotations

from importlib import import_module

import click


class LaterGroup(click.Group):
    """Stands for a group in another module.

    Args:
        name: what it is called with.
        place: `module:group`.
        help: the text of the group, so that listing it needs no import.
    """

    def __init__(self, name: str, place: str, *, help: str) -> None:
        super().__init__(name, help=help)
        self._place = place

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands of the group."""
        return self.load().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one of them, or None."""
        return self.load().get_command(ctx, cmd_name)

    def load(self) -> click.Group:
        """Import the group."""
        module, _, name = self._place.partition(":")
        group = getattr(import_module(module), name)
        assert isinstance(group, click.Group)
        return group
