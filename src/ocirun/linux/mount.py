# SPDX-License-Identifier: Apache-2.0
"""Mount options in words, and what mount_setattr(2) and fsconfig(2) call them.

The words are those of mount(8) and of the runtime-spec's list of Linux mount
options.  A word that is not here belongs to the filesystem.
"""

RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
RELATIME, NOATIME, STRICTATIME, ATIME = 0, 0x10, 0x20, 0x70
NODIRATIME, IDMAP, NOSYMFOLLOW = 0x80, 0x100000, 0x200000

#: attributes that a mount in a user namespace may have locked
LOCKABLE = RDONLY | NOSUID | NODEV | NOEXEC

#: words that a bind mount leaves without effect, as mount(8) does: the kernel keeps the
#: access times of the source unless one of the others is named
KEEP_ATIME = frozenset(("atime", "norelatime", "nostrictatime", "diratime"))

MS_MOVE, MS_REC = 0x2000, 0x4000
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20

AT_RECURSIVE = 0x8000

#: word -> (attributes to set, attributes to clear)
ATTRIBUTES = {
    "ro": (RDONLY, 0),
    "rw": (0, RDONLY),
    "nosuid": (NOSUID, 0),
    "suid": (0, NOSUID),
    "nodev": (NODEV, 0),
    "dev": (0, NODEV),
    "noexec": (NOEXEC, 0),
    "exec": (0, NOEXEC),
    "nodiratime": (NODIRATIME, 0),
    "diratime": (0, NODIRATIME),
    "noatime": (NOATIME, ATIME),
    "atime": (0, NOATIME),
    "relatime": (RELATIME, ATIME),
    "norelatime": (0, 0),
    "strictatime": (STRICTATIME, ATIME),
    "nostrictatime": (0, STRICTATIME),
    "nosymfollow": (NOSYMFOLLOW, 0),
    "symfollow": (0, NOSYMFOLLOW),
}

PROPAGATION = {
    "private": MS_PRIVATE,
    "shared": MS_SHARED,
    "slave": MS_SLAVE,
    "unbindable": MS_UNBINDABLE,
    "rprivate": MS_PRIVATE | MS_REC,
    "rshared": MS_SHARED | MS_REC,
    "rslave": MS_SLAVE | MS_REC,
    "runbindable": MS_UNBINDABLE | MS_REC,
}

#: flags of the filesystem itself, which fsconfig(2) takes under the same name
SUPERBLOCK = frozenset(
    ("sync", "async", "dirsync", "lazytime", "nolazytime", "mand", "nomand"),
)

#: accepted, and nothing to do: the default, or what only mount(8) itself looks at
WITHOUT_EFFECT = frozenset(("", "defaults", "loud", "silent", "iversion", "noiversion", "remount"))


class Options:
    """A list of mount options, sorted by who takes them."""

    __slots__ = (
        "bind",
        "clear",
        "copy_up",
        "data",
        "idmap",
        "propagation",
        "recursive",
        "recursive_clear",
        "recursive_set",
        "set",
        "superblock",
        "touched",
    )

    def __init__(self, words: list[str]) -> None:
        self.bind = False
        self.recursive = False
        self.set = 0
        self.clear = 0
        #: any attribute is named at all
        self.touched = False
        self.recursive_set = 0
        self.recursive_clear = 0
        self.propagation: list[int] = []
        self.superblock: list[str] = []
        self.data: list[str] = []
        self.copy_up = False
        self.idmap = ""
        for word in words:
            self._take(word)

    def bound(self) -> "Options":
        """Give the same for a recursive bind mount in the place of a new filesystem."""
        bound = Options(["rbind"])
        bound.set = self.set
        bound.touched = self.touched
        bound.clear = self.clear
        bound.propagation = self.propagation
        return bound

    def _take(self, word: str) -> None:
        if word in ATTRIBUTES:
            new, old = ATTRIBUTES[word]
            self.set = self.set & ~old | new
            self.touched = True
            if word not in KEEP_ATIME:
                self.clear = self.clear & ~new | old
        elif word in PROPAGATION:
            self.propagation.append(PROPAGATION[word])
        elif word in ("bind", "rbind"):
            self.bind = True
            self.recursive = word == "rbind"
        elif word in SUPERBLOCK:
            self.superblock.append(word)
        elif word == "tmpcopyup":
            self.copy_up = True
        elif word in ("idmap", "ridmap") or word.startswith(("idmap=", "ridmap=")):
            self.idmap = word
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            self._take_recursive(word[1:])
        elif word not in WITHOUT_EFFECT:
            self.data.append(word)

    def _take_recursive(self, word: str) -> None:
        new, old = ATTRIBUTES[word]
        self.recursive_set = self.recursive_set & ~old | new
        self.recursive_clear = self.recursive_clear & ~new | old
        if word.endswith("atime") and not word.endswith("diratime"):
            # mount_setattr(2): access times are one value, replaced as a whole.
            self.recursive_clear |= ATIME
