# SPDX-License-Identifier: Apache-2.0
"""Scheduling: policies and flags by name, and the structures that the kernel takes.

References: sched_setattr(2), sched_setaffinity(2), ioprio_set(2); sched(7).
"""

from _struct import Struct

POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_ISO": 4,  # reserved: no released kernel has it
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}

FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}

IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
IOPRIO_WHO_PROCESS = 1
_IOPRIO_CLASS_SHIFT = 13

# struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period, and the
# bounds of utilisation, which no kernel minds as long as they are 0.
_SCHED_ATTR = Struct("<IIQiIQQQII")


def attr(
    policy: int, flags: int, nice: int, priority: int, deadlines: tuple[int, int, int]
) -> bytes:
    """Give a struct sched_attr; `deadlines` are runtime, deadline and period in nanoseconds."""
    size = _SCHED_ATTR.size
    return _SCHED_ATTR.pack(size, policy, flags, nice, priority & 0xFFFFFFFF, *deadlines, 0, 0)


def io_priority(io_class: int, priority: int) -> int:
    """Give class and priority as one number."""
    return io_class << _IOPRIO_CLASS_SHIFT | priority


def mask(ids: "set[int]") -> bytes:
    """Give a set of CPUs or memory nodes as a bit mask, in whole words of the kernel."""
    size = (max(ids, default=0) // 64 + 1) * 8
    return sum(1 << number for number in ids).to_bytes(size, "little")
