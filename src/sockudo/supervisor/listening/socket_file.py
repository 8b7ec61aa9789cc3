"""Makes a unix socket to listen on, with its permissions, and removes it at the end."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from sockudo.errors import SockudoError
from sockudo.supervisor.listening.listeners import BACKLOG

try:
    import fcntl
    import grp
    import pwd
except ImportError:  # Windows has no such sockets
    fcntl = grp = pwd = None  # type: ignore[assignment]  # the checker sees only the platform it runs on

_PARENT_MODE: Final = 0o755
# How long a server that listens there may take to be noticed (seconds).
_PATIENCE: Final = 1.0
# How long other servers that start may take with the folder, and how often to look (seconds).
_LOCK_SECONDS: Final = 5.0
_LOCK_AGAIN: Final = 0.05


class SocketFileError(SockudoError):
    """The socket cannot be made. The message names the path, the setting and the reason."""

    def __init__(self, path: str, reason: object, setting: str = "unix_socket.path") -> None:
        super().__init__(f"it cannot listen on {path} ({setting}): {reason}")


class UnixSocketSection(Protocol):
    """The settings of the section `unix_socket`.

    Attributes:
        owner: `user`, `user:group` or `:group`, by name or number; None leaves it to whoever runs the process.
    """

    enabled: bool
    path: str
    owner: str | None

    @property
    def mode(self) -> int:
        """The permissions of the socket."""


def socket_file_of(section: UnixSocketSection) -> SocketFile | None:
    """Return the unix socket that the settings ask for, not made; None where they ask for host and port."""
    return SocketFile(section.path, section.mode, section.owner) if section.enabled else None


class SocketFile:
    """A path for a unix socket.

    Args:
        mode: the permissions of the socket.
        owner: `user`, `user:group` or `:group`, by name or number; None leaves it to whoever runs the process.
    """

    def __init__(self, path: str, mode: int, owner: str | None = None) -> None:
        self.path = path
        self._mode = mode
        self._owner = owner
        # What was made, so that nothing else is removed.
        self._made: tuple[int, int, int] | None = None

    @property
    def made(self) -> tuple[int, int, int] | None:
        """What tells the socket that was made from any other on its path; None before that."""
        return self._made

    @classmethod
    def that_was_made(cls, path: str, made: tuple[int, int, int]) -> SocketFile:
        """Return the socket that another program of this process has made, to be removed."""
        file = cls(path, 0)
        file._made = made
        return file

    def listen(self) -> socket.socket:
        """Return a socket that listens on the path; what a server that died has left there is replaced.

        Raises:
            SocketFileError: it cannot be made, or somebody else has the path.
        """
        owner = self._owner_numbers()
        try:
            folder = _made_folder(os.path.dirname(self.path))
            with _alone_in(folder):
                self._clear()
                return self._bind(owner)
        except OSError as error:
            raise SocketFileError(self.path, error) from error

    def remove(self) -> None:
        """Remove the socket that was made, unless another server has replaced it."""
        if self._made is None:
            return
        with suppress(OSError):
            if _mark(self.path) == self._made:
                os.unlink(self.path)
        self._made = None

    def _clear(self) -> None:
        """Remove the socket of a server that died; raise for anything else."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise SocketFileError(self.path, "there is a file that is no socket; remove it, or choose another path")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_PATIENCE)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                os.unlink(self.path)
                return
            except FileNotFoundError:
                return
            except OSError as error:
                reason = f"there is a socket, and it does not say whether a server listens on it: {error}"
                raise SocketFileError(self.path, reason) from error
        raise SocketFileError(self.path, "another server listens on it")

    def _bind(self, owner: tuple[int, int]) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.setblocking(False)
            # Closed to everybody until it has its owner and its permissions.
            before = os.umask(0o777)
            try:
                made.bind(self.path)
            finally:
                os.umask(before)
            # The number of a file that is gone may be given to the next one; its time is its own.
            os.utime(self.path, ns=(time.time_ns(), time.time_ns()))
            self._made = _mark(self.path)
            if owner != (-1, -1):
                self._give_to(owner)
            os.chmod(self.path, self._mode)
            made.listen(BACKLOG)
        except BaseException:
            made.close()
            self.remove()
            raise
        return made

    def _give_to(self, owner: tuple[int, int]) -> None:
        try:
            os.chown(self.path, *owner, follow_symlinks=False)
        except OSError as error:
            reason = f"it cannot be given to {self._owner}: {error}"
            raise SocketFileError(self.path, reason, "unix_socket.owner") from error

    def _owner_numbers(self) -> tuple[int, int]:
        """Return the numbers of user and group; -1 leaves one as it is."""
        user, _, group = (self._owner or "").partition(":")
        try:
            return (
                _number(user, lambda: pwd.getpwnam(user).pw_uid),
                _number(group, lambda: grp.getgrnam(group).gr_gid),
            )
        except KeyError as error:
            raise SocketFileError(self.path, error.args[0], "unix_socket.owner") from None


def _mark(path: str) -> tuple[int, int, int]:
    """Return what tells a file from every other that has had its path."""
    found = os.lstat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _number(name: str, look_up: Callable[[], int]) -> int:
    if not name:
        return -1
    return int(name) if name.isdecimal() else look_up()


def _made_folder(path: str) -> str:
    """Make a folder and those above it where they are missing, for everybody to pass through."""
    if not os.path.isdir(path):
        _made_folder(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(path)
            # What `mkdir` is told is narrowed by the umask.
            os.chmod(path, _PARENT_MODE)
    return path


def _lock(descriptor: int, folder: str) -> None:
    """Lock a folder, which any local user may lock too: not for ever."""
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise SocketFileError(folder, "another process holds a lock on this folder") from None
            time.sleep(_LOCK_AGAIN)


@contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Keep other servers that start from taking the same path at the same time."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def is_socket_file(listening: socket.socket) -> bool:
    """Tell whether a socket that listens is a unix socket."""
    return hasattr(socket, "AF_UNIX") and listening.family == socket.AF_UNIX


def check_given(sockets: Sequence[socket.socket], file: SocketFile | None) -> None:
    """Check that sockets which others opened are of the kind that the settings ask for, since TLS depends on that.

    Raises:
        SocketFileError: they are not.
    """
    if is_socket_file(sockets[0]) == (file is not None):
        return
    kind = "a unix socket" if file is None else "TCP"
    given = f"the sockets of the service manager, or of this server's start, are {kind}; change one of both"
    raise SocketFileError(address_of(sockets[0])[0] if file is None else file.path, given, "unix_socket.enabled")


def address_of(listening: socket.socket) -> tuple[str, int]:
    """Return host and port of a socket that listens; of a unix socket its path, and 0."""
    name = listening.getsockname()
    return (name, 0) if isinstance(name, str) else (name[0], name[1])
