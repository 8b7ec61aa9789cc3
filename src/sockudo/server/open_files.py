"""The limit on open files, which is the limit on sockets."""

from __future__ import annotations

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]  # the checker sees only the platform it runs on


def raise_limit() -> None:
    """Let this process open as many files as it may; a soft limit of 1024 is the usual surprise."""
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        # macOS refuses "unlimited" although it reports it; what there was stays.
        return
