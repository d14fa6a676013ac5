# SPDX-License-Identifier: Apache-2.0
"""The rarer attributes of a process by chance.  Reference: config.md, config-linux.md."""

from collections.abc import Callable

from hypothesis import strategies as st
from tests.peer.runtime import Config, Json

NODES_NEEDED = ("MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_PREFERRED_MANY")


@st.composite
def attributes(
    draw: st.DrawFn,
    knows: Callable[[str], bool],
    config: Config,
    process: Config,
    linux: Config,
    types: set[str],
) -> None:
    """Add some of scheduler, ioPriority, personality, memoryPolicy, timeOffsets, idmaps."""
    if knows("scheduler") and draw(st.booleans()):
        process["scheduler"] = draw(_scheduler())
    if knows("ioPriority") and draw(st.booleans()):
        io_class = draw(st.sampled_from(("RT", "BE", "IDLE")))
        process["ioPriority"] = {"class": f"IOPRIO_CLASS_{io_class}", "priority": draw(EIGHT)}
    if knows("execCPUAffinity") and draw(st.booleans()):
        process["execCPUAffinity"] = draw(st.sampled_from(AFFINITIES))
    if knows("personality") and draw(st.booleans()):
        linux["personality"] = {"domain": draw(st.sampled_from(("LINUX", "LINUX32")))}
    if knows("memoryPolicy") and draw(st.booleans()):
        linux["memoryPolicy"] = draw(_memory_policy())
    if "time" in types and draw(st.booleans()):
        seconds = st.sampled_from((0, 10, -5, 1_000_000))
        part = st.sampled_from((0, 1, 999_999_999))
        clocks = draw(st.sets(st.sampled_from(("monotonic", "boottime")), min_size=1))
        linux["timeOffsets"] = {
            clock: {"secs": draw(seconds), "nanosecs": draw(part)} for clock in sorted(clocks)
        }
    if knows("idmap") and draw(st.booleans()):
        mounts = config["mounts"]
        assert isinstance(mounts, list)
        mounts.append(draw(_idmapped(mapped="user" in types)))


EIGHT = st.integers(0, 7)
AFFINITIES: tuple[Json, ...] = (
    {"initial": "0"},
    {"final": "0-1"},
    {"initial": "0,1", "final": "1"},
)


@st.composite
def _scheduler(draw: st.DrawFn) -> Config:
    policy = draw(st.sampled_from("OTHER OTHER BATCH BATCH IDLE IDLE FIFO RR".split()))
    scheduler: Config = {"policy": f"SCHED_{policy}"}
    if policy in ("FIFO", "RR"):
        scheduler["priority"] = draw(st.sampled_from((1, 50, 99)))
    elif draw(st.booleans()):
        scheduler["nice"] = draw(st.sampled_from((-20, -1, 0, 5, 19)))
    if draw(st.booleans()):
        flag: list[Json] = ["SCHED_FLAG_RESET_ON_FORK"]
        scheduler["flags"] = draw(st.sampled_from((flag, [])))
    return scheduler


@st.composite
def _memory_policy(draw: st.DrawFn) -> Config:
    mode = draw(st.sampled_from((*NODES_NEEDED, "MPOL_DEFAULT", "MPOL_LOCAL", "MPOL_PREFERRED")))
    policy: Config = {"mode": mode}
    if mode in NODES_NEEDED or (mode == "MPOL_PREFERRED" and draw(st.booleans())):
        policy["nodes"] = "0"
        if draw(st.booleans()):
            flags = ("MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES")
            policy["flags"] = [draw(st.sampled_from(flags))]
    return policy


@st.composite
def _idmapped(draw: st.DrawFn, *, mapped: bool) -> Config:
    mapping: Json = [{"containerID": 0, "hostID": draw(st.sampled_from((0, 1000))), "size": 10}]
    options: list[Json] = [draw(st.sampled_from(("bind", "rbind")))]
    mount: Config = {
        "destination": "/mnt/mapped",
        "source": "@BUNDLE@/source/directory",
        "options": options,
    }
    if draw(st.booleans()) or not mapped:
        mount["uidMappings"] = mount["gidMappings"] = mapping
    else:
        options.append(draw(st.sampled_from(("idmap", "ridmap"))))
    return mount
