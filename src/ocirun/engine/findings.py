# SPDX-License-Identifier: Apache-2.0
"""What was found on a host, for `ocirun doctor`: the findings, and the eyes that look."""

import os

GOOD, POOR, BAD = "works", "limited", "missing"


class Finding:
    """One thing that was looked at: its state, what was seen, and what to type."""

    __slots__ = ("group", "item", "remedy", "seen", "state")

    def __init__(self, item: str, state: str, seen: str, remedy: str = "") -> None:
        self.item = item
        self.state = state
        self.seen = seen
        self.remedy = remedy
        #: the heading under which it belongs
        self.group = ""

    def document(self) -> dict[str, object]:
        """Give it as a JSON object."""
        return {name: getattr(self, name) for name in sorted(self.__slots__)}


class Host:
    """The host to look at: where its files are, and whose eyes look."""

    __slots__ = ("_root", "privileged", "uid", "user")

    def __init__(self, root: str = "", user: str = "") -> None:
        self._root = root
        self.uid = os.geteuid()
        self.user = user or str(self.uid)
        self.privileged = self.uid == 0

    def path(self, name: str) -> str:
        """Give the path of a file of this host."""
        return f"{self._root}{name}"

    def read(self, name: str) -> str | None:
        """Give the content of a file, or None where there is none that we may read."""
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return None

    def find(self, program: str, places: tuple[str, ...] = ()) -> str:
        """Give the path of an executable, or ""."""
        for place in places or tuple(os.environ.get("PATH", "").split(":")):
            if place and os.access(self.path(f"{place}/{program}"), os.X_OK):
                return f"{place}/{program}"
        return ""
