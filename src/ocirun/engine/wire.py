# SPDX-License-Identifier: Apache-2.0
"""The plan as data, and as the bytes that the stub reads.

`stub/wire.h` is the other side and explains the layout; tests/style compares
the numbers.  Nothing here decides anything or makes a system call.
"""

from _struct import Struct, pack

from ocirun.errors import OcirunError

MAGIC = 0x4E55524F
VERSION = 2
SLOTS = 64
NO_SLOT = SLOTS  # an argument that names no slot: always empty
NEVER = 0xFFFFFFFF

#: name -> (number, how many arguments)
OPERATIONS = {
    "FD": (1, 2),
    "CLOSE": (2, 1),
    "WRITE": (3, 2),
    "WRITE_AT": (4, 3),
    "SETNS": (5, 2),
    "UNSHARE": (6, 1),
    "CLONE": (7, 2),
    "SYNC": (8, 1),
    "PRCTL": (9, 3),
    "SETSID": (10, 0),
    "IDENTITY": (11, 2),
    "GROUPS": (12, 2),
    "HOSTNAME": (13, 2),
    "DOMAINNAME": (14, 2),
    "OPEN": (15, 2),
    "OPEN_PROC": (16, 2),
    "OPEN_TREE": (17, 3),
    "CLONE_TREE": (18, 3),
    "RESOLVE": (19, 4),
    "TARGET": (20, 5),
    "FSOPEN": (21, 2),
    "FSCONFIG": (22, 3),
    "FSMODE": (23, 2),
    "FSMOUNT": (24, 3),
    "SETATTR": (25, 6),
    "ATTACH": (26, 2),
    "PARENT_PRIVATE": (27, 1),
    "MKNOD": (28, 6),
    "SYMLINK": (29, 4),
    "MASK": (30, 3),
    "PIVOT_ROOT": (31, 1),
    "MOVE_ROOT": (32, 5),
    "CHROOT": (33, 1),
    "FCHDIR": (34, 1),
    "CHDIR": (35, 2),
    "CONSOLE": (36, 4),
    "STDIO_OWNER": (37, 1),
    "BOUNDING": (38, 1),
    "CAPABILITIES": (39, 4),
    "UMASK": (40, 1),
    "KEYRING": (41, 2),
    "SECCOMP": (42, 4),
    "HOME": (43, 2),
    "PROGRAM": (44, 1),
    "START": (45, 1),
    "HOOK": (46, 7),
    "EXEC": (47, 2),
    "CLOEXEC": (48, 3),
    "NULL_STDIO": (49, 2),
    "LOOPBACK": (50, 0),
    "MKDIR": (51, 2),
    "SOURCE": (52, 3),
    "HIDE": (53, 1),
    "PERSONALITY": (54, 1),
    "AFFINITY": (55, 3),
    "SCHEDULER": (56, 3),
    "IO_PRIORITY": (57, 3),
    "MEMORY_POLICY": (58, 3),
    "EXCHANGE": (59, 3),
    "IDMAP": (60, 3),
    "READ_AT": (61, 3),
    "SETXATTR": (62, 5),
}

# Kinds of messages.
PID, SYNC, FD, ERROR, GO, READY = range(1, 7)

# Flags of TARGET, RESOLVE and CHDIR.
TARGET_FILE, TARGET_ORDINARY, TARGET_IN_PROC = 1, 2, 4
RESOLVE_OPTIONAL = 1
CHDIR_IF_ALLOWED, CHDIR_IF_NEEDED = 1, 2

MESSAGE = Struct("<IIiI")  # kind, index of the operation, value, length of the text
_HEADER = Struct("<IIIIII")
_MASK64 = 0xFFFFFFFFFFFFFFFF
_PADDING = tuple(bytes(count) for count in range(8))


class Entry:
    """One entry of a table, as an argument: where the stub puts a string of its own."""

    __slots__ = ("index", "table")

    def __init__(self, table: tuple[bytes, ...], index: int) -> None:
        self.table = table
        self.index = index


class Operation:
    """One step: its name, its arguments, and the field of the config that asked for it."""

    __slots__ = ("args", "field", "name", "optional")

    def __init__(self, name: str, args: "tuple[Argument, ...]", field: str) -> None:
        self.name = name
        self.args = args
        self.field = field
        #: the plan goes on if it fails
        self.optional = False


Argument = int | str | bytes | tuple[bytes, ...] | Entry | None


class Plan:
    """An ordered list of operations, and the slots that they use."""

    __slots__ = ("_next", "field", "operations", "trace")

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        #: what the operations added from now on are for; part of every error
        self.field = ""
        #: the descriptor to which the stub writes when each operation began; 0 for none
        self.trace = 0
        self._next = 0

    def slot(self) -> int:
        """Give the number of a slot that nothing else uses."""
        if self._next >= SLOTS:
            raise OcirunError("plan: too many descriptors at once")
        self._next += 1
        return self._next - 1

    def release(self, slot: int) -> None:
        """Take back the newest slot; what it holds is closed."""
        self.add("CLOSE", slot)
        if slot == self._next - 1:
            self._next -= 1

    def add(self, name: str, *args: "Argument") -> None:
        """Append an operation."""
        self.operations.append(Operation(name, args, self.field))

    def attempt(self, name: str, *args: "Argument") -> None:
        """Append an operation without which the plan goes on, should it fail."""
        self.add(name, *args)
        self.operations[-1].optional = True

    def encode(self, fail_at: int = NEVER) -> bytes:
        """Give the bytes for the stub; it refuses the operation `fail_at` (for tests)."""
        size = _HEADER.size + 8 * sum(1 + len(operation.args) for operation in self.operations)
        heap = _Heap(size)
        # All is a multiple of eight bytes, the head of an operation too: one list of numbers.
        numbers: list[int] = []
        for operation in self.operations:
            code, count = OPERATIONS[operation.name]
            if len(operation.args) != count:
                raise OcirunError(f"plan: {operation.name} takes {count} arguments")
            numbers.append(code | operation.optional << 16 | count << 32)
            # Most arguments are numbers, and there are hundreds.
            numbers.extend(
                [
                    value & _MASK64 if type(value) is int else heap.argument(value)
                    for value in operation.args
                ]
            )
        body = heap.content()
        total = size + len(body)
        header = _HEADER.pack(MAGIC, VERSION, total, len(self.operations), fail_at, self.trace)
        return b"".join((header, pack(f"<{len(numbers)}Q", *numbers), body))


class _Heap:
    """Strings and tables behind the operations, each at a multiple of eight."""

    __slots__ = ("_chunks", "_seen", "_tables", "_top")

    def __init__(self, start: int) -> None:
        self._chunks: list[bytes] = []
        self._top = start
        self._seen: dict[bytes, int] = {}
        self._tables: dict[int, int] = {}

    def argument(self, value: "Argument") -> int:
        """Give the number that stands for the argument."""
        if isinstance(value, str):
            return self._string(value.encode("utf-8", "surrogateescape"))
        if value is None:
            return 0
        if isinstance(value, bytes):
            return self._string(value)
        if isinstance(value, int):
            return value & _MASK64
        if isinstance(value, Entry):
            return self._table(value.table) + 8 * value.index
        return self._table(value)

    def content(self) -> bytes:
        """Give all of it; the last byte is NUL."""
        self._put(b"\0")
        return b"".join(self._chunks)

    def _put(self, data: bytes) -> int:
        at = self._top
        self._chunks.append(data)
        self._top += len(data)
        rest = -len(data) % 8
        if rest:
            self._chunks.append(_PADDING[rest])
            self._top += rest
        return at

    def _string(self, value: bytes) -> int:
        at = self._seen.get(value)
        if at is None:
            at = self._seen[value] = self._put(value + b"\0")
        return at

    def _table(self, table: tuple[bytes, ...]) -> int:
        at = self._tables.get(id(table))
        if at is None:
            entries = [self._string(value) for value in table]
            at = self._put(pack(f"<{len(entries) + 1}Q", *entries, 0))
            self._tables[id(table)] = at
        return at
