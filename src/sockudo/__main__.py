"""The `sockudo` command, also as `python -m sockudo`."""

from __future__ import annotations

from sockudo.cli.supervise import supervise_if_told


def main() -> None:
    """Run the command, or the supervisor that it has become, which needs nothing that the command imports."""
    supervise_if_told()
    from sockudo.cli.main import main as command

    command(prog_name="sockudo")


if __name__ == "__main__":
    main()
