# SPDX-License-Identifier: Apache-2.0
"""What a command works with: its arguments, its flags, the log, and standard output."""

import os

from ocirun.errors import KernelError, UsageError
from ocirun.linux import file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.flags import Options
    from ocirun.cli.log import Journal

STDOUT = 1
DEFAULT_ROOT = "/run/ocirun"


class Call:
    """One call of a command."""

    __slots__ = ("arguments", "globals", "journal", "options")

    def __init__(
        self,
        arguments: list[str],
        options: "Options",
        global_options: "Options",
        journal: "Journal",
    ) -> None:
        self.arguments = arguments
        self.options = options
        self.globals = global_options
        self.journal = journal

    @property
    def id(self) -> str:
        """The container's ID, as it was given."""
        return self.arguments[0]

    def root(self) -> str:
        """Return the directory of all state; the default one of a plain user is made."""
        if self.globals.given("root"):
            path = absolute(self.globals.text("root"))
            if path == "/":
                raise UsageError("option --root should not be set to /")
            return path
        runtime_dir = os.environ.get("XDG_RUNTIME_DIR", "")
        if not runtime_dir or not _is_plain_user():
            return DEFAULT_ROOT
        return private_root(runtime_dir)


def absolute(path: str) -> str:
    """Convert a path to one from "/" on; an empty one, which is none, stays empty."""
    require_directory(path)
    return os.path.abspath(path) if path else ""


def require_directory(path: str) -> None:
    """Refuse a relative path where there is nothing that it could be relative to."""
    if path.startswith("/"):
        return
    try:
        os.getcwd()
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise KernelError(f"find the current directory: {reason}", "cd to another one") from None


def private_root(runtime_dir: str) -> str:
    """Make the state root of a plain user."""
    path = f"{runtime_dir}/ocirun"
    try:
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
        # XDG base directory specification: what is old and lacks the sticky bit may be
        # removed from $XDG_RUNTIME_DIR at any time.
        os.chmod(path, 0o1700)
    except OSError as error:
        reason = (error.strerror or "").lower()
        hint = "$XDG_RUNTIME_DIR must be writable for you; or give --root"
        raise KernelError(f"make the state directory: {path}: {reason}", hint) from None
    return path


def _is_plain_user() -> bool:
    """Whether we are not root, or root only in a user namespace of a plain user."""
    if os.geteuid() != 0:
        return True
    return in_user_namespace() and os.environ.get("USER") != "root"


def in_user_namespace() -> bool:
    """Whether our IDs are mapped; the first user namespace maps all of them, to themselves."""
    try:
        return file.read("/proc/self/uid_map").split() != [b"0", b"0", b"4294967295"]
    except OSError:
        return False


def write(text: str) -> None:
    """Write all of a text to standard output, at once: nothing stays in a buffer."""
    data = text.encode("utf-8", "surrogateescape")
    while data:
        try:
            data = data[os.write(STDOUT, data) :]
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise KernelError(f"write to standard output: {reason}") from None
