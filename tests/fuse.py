# SPDX-License-Identifier: Apache-2.0
"""A filesystem of our own for tests, over /dev/fuse: what the kernel asks, a tree of nodes answers.

Just enough of the protocol for small text files that are read and written whole, and for
directories that come with their files, as those of the kernel's own filesystems do.
fuse(4), the kernel's <linux/fuse.h>.
"""

import errno
import os
import stat
import struct
import subprocess
from pathlib import Path
from typing import NoReturn

HEADER = struct.Struct("=IIQQIIIHH")
LOOKUP, FORGET, GETATTR, SETATTR, MKDIR, RMDIR, OPEN, READ, WRITE = 1, 2, 3, 4, 9, 11, 14, 15, 16
RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = 18, 25, 26, 27, 28, 29, 42
SILENT = (FORGET, BATCH_FORGET)
MAKES_OR_FINDS = (LOOKUP, MKDIR, RMDIR)
DIRECT_IO = 1
OPENED = struct.pack("=QII", 0, DIRECT_IO, 0)
FIXED = {
    INIT: struct.pack("=IIII8xI", 7, 31, 0, 0, 1 << 16) + bytes(36),
    OPEN: OPENED,
    OPENDIR: OPENED,
    **dict.fromkeys((RELEASE, FLUSH, RELEASEDIR, *SILENT), b""),
}


class Node:
    """A directory, or a file; subclasses say what is in it."""

    is_directory = False

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.number = 0

    def read(self) -> str:
        """Give the text of a file."""
        raise OSError(errno.EACCES, "")

    def write(self, _text: str, _pid: int) -> None:
        """Take what process `pid` writes."""
        raise OSError(errno.EACCES, "")

    def mkdir(self, _name: str) -> "Node":
        """Make a directory in this one."""
        raise OSError(errno.EPERM, "")

    def rmdir(self, _name: str) -> None:
        """Remove a directory from this one."""
        raise OSError(errno.EPERM, "")


def mount(place: Path) -> int:
    """Mount a filesystem that nobody serves yet; give the descriptor to serve it by."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0"
    words = ["mount", "-i", "-t", "fuse", "-o", options, "fake", str(place)]
    subprocess.run(words, check=True, pass_fds=(fd,))
    return fd


def serve(fd: int, root: Node) -> NoReturn:
    """Answer until it is unmounted; in a process of its own."""
    server = _Server(root)
    while True:
        try:
            request = os.read(fd, 1 << 17)
        except OSError as error:
            # ENODEV: unmounted.
            os._exit(0 if error.errno == errno.ENODEV else 1)
        _, code, unique, number, _, _, pid, _, _ = HEADER.unpack_from(request)
        failure, answer = 0, b""
        try:
            answer = server.answer(code, number, pid, request[HEADER.size :])
        except OSError as error:
            failure = -(error.errno or errno.EIO)
        if code not in SILENT:
            os.write(fd, struct.pack("=IiQ", 16 + len(answer), failure, unique) + answer)


class _Server:
    def __init__(self, root: Node) -> None:
        self.nodes: list[Node] = [root, root]
        root.number = 1

    def answer(self, code: int, number: int, pid: int, data: bytes) -> bytes:
        """Give what belongs behind the header of the answer, or raise."""
        node = self.nodes[number]
        if code in MAKES_OR_FINDS:
            name = data[8 if code == MKDIR else 0 :].rstrip(b"\0").decode()
            return self._named(code, node, name)
        if code in (READ, READDIR):
            _, offset, size = struct.unpack_from("=QQI", data)
            if code == READDIR:
                return self._listing(node, offset)
            return node.read().encode()[offset : offset + size]
        if code == WRITE:
            node.write(data[40:].decode(), pid)
            return struct.pack("=II", len(data) - 40, 0)
        if code in (GETATTR, SETATTR):
            return struct.pack("=QII", 0, 0, 0) + self._attributes(node)
        if code not in FIXED:
            raise OSError(errno.ENOSYS, "")
        return FIXED[code]

    def _named(self, code: int, parent: Node, name: str) -> bytes:
        if code == RMDIR:
            parent.rmdir(name)
            del parent.children[name]
            return b""
        if code == MKDIR:
            if name in parent.children:
                raise OSError(errno.EEXIST, "")
            parent.children[name] = parent.mkdir(name)
        return self._entry(parent, name)

    def _entry(self, parent: Node, name: str) -> bytes:
        if name not in parent.children:
            raise OSError(errno.ENOENT, "")
        node = parent.children[name]
        if not node.number:
            node.number = len(self.nodes)
            self.nodes.append(node)
        return struct.pack("=QQQQII", node.number, 0, 0, 0, 0, 0) + self._attributes(node)

    def _attributes(self, node: Node) -> bytes:
        mode = stat.S_IFDIR | 0o755 if node.is_directory else stat.S_IFREG | 0o644
        times = struct.pack("=QQQQQQIII", node.number, 0, 0, 0, 0, 0, 0, 0, 0)
        return times + struct.pack("=IIIIIII", mode, 1, 0, 0, 0, 4096, 0)

    def _listing(self, node: Node, offset: int) -> bytes:
        found = b""
        names = [".", "..", *node.children]
        for index, name in enumerate(names[offset:], offset + 1):
            kind = 4 if name not in node.children or node.children[name].is_directory else 8
            raw = name.encode()
            entry = struct.pack("=QQII", index, index, len(raw), kind) + raw
            found += entry + bytes(-len(entry) % 8)
        return found
