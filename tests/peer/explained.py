# SPDX-License-Identifier: Apache-2.0
"""Where ocirun and runc may differ for a config that is good, and why.

This is the one place for it: a difference that no row here explains fails the test.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.peer.difference import Difference, listed
from tests.peer.runtime import EXEC, Config, Json


@dataclass(frozen=True)
class Explanation:
    """A difference that is meant to be."""

    why: str
    key: str
    holds: Callable[[Difference], bool]
    #: the version from which on the peer does the same as we
    until: tuple[int, ...] = (99,)

    def fits(self, difference: Difference, version: tuple[int, ...]) -> bool:
        known = version < self.until and bool(re.fullmatch(self.key, difference.key))
        return known and self.holds(difference)


def unexplained(found: list[Difference], version: tuple[int, ...]) -> list[Difference]:
    """Leave out what the table explains for this version of the peer."""
    return [one for one in found if not any(row.fits(one, version) for row in EXPLAINED)]


def _recursive(options: set[str]) -> set[str]:
    """Give what recursive options may change, in the words of mountinfo."""
    found: set[str] = set()
    for option in options:
        if option.startswith("r") and option[1:].endswith("atime"):
            found |= {"noatime", "relatime", "nodiratime"}
        elif option in ("rro", "rrw"):
            found |= {"ro", "rw"}
        elif option.startswith("r"):
            found.add("no" + option[1:].removeprefix("no"))
    return found


def _is_covered_tmpfs(config: Config) -> bool:
    """Tell whether a read-only tmpfs has another mount over it."""
    mounts = [mount for mount in _list(config["mounts"]) if isinstance(mount, dict)]
    places = [str(mount["destination"]).strip("/") for mount in mounts]
    return any(
        mount.get("type") == "tmpfs"
        and "ro" in listed(mount.get("options"))
        and places[index] in places[index + 1 :]
        for index, mount in enumerate(mounts)
    )


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


ACCESS_TIMES = frozenset("noatime relatime strictatime rnoatime rrelatime rstrictatime".split())

NO_PROC = ("unsafe procfs", "/proc/sys/kernel/cap_last_cap", "open /proc/self/fd")
FIFOS = ("/dev/fuse", "/dev/net/tun", "/dev/first", "/dev/below/second")
#: what the two rows about cgroup mounts explain
CGROUP = frozenset(("ro", "systemd"))
HARDENED = frozenset(("nosuid", "nodev", "noexec"))

EXPLAINED = (
    Explanation(
        "without `capabilities` a process gets none; runc leaves it those of its caller, which for"
        " a daemon are all of them",
        r"status/Cap(Bnd|Eff|Prm)|inside/(write|open|mkdir|identity).*",
        lambda one: one.field("process", "capabilities") is None,
    ),
    Explanation(
        "config.md, Linux Process: a capability that cannot be granted is a warning and SHOULD NOT"
        " be a failure; runc fails if it is one that it lacks itself",
        "outcome",
        lambda one: one.ours == "accepted" and "unable to apply caps" in one.theirs,
    ),
    Explanation(
        "config.md has `r...` options for every mount; runc minds them for bind mounts alone",
        r"mount .*",
        lambda one: (
            not {"bind", "rbind"} & one.mount_options()
            and one.words() <= _recursive(one.mount_options())
        ),
    ),
    Explanation(
        "of two options about access times that contradict each other the last one counts, as with"
        " all others; runc hands both to the kernel",
        r"mount .*",
        lambda one: (
            one.words() <= {"noatime", "relatime"} and len(ACCESS_TIMES & one.mount_options()) > 1
        ),
    ),
    Explanation(
        "the same, where the kernel refuses to have both",
        "outcome",
        lambda one: (
            one.ours == "accepted"
            and "invalid argument" in one.theirs
            and any(len(ACCESS_TIMES & options) > 1 for options in one.all_options())
        ),
    ),
    Explanation(
        "config.md requires the mount option `defaults`; runc takes it for the filesystem's",
        "outcome",
        lambda one: one.ours == "accepted" and "data" in one.theirs and "defaults" in one.theirs,
    ),
    Explanation(
        "a cgroup mount that is `ro` is so as a whole; runc leaves the tmpfs around it writable",
        r"mount /sys/fs/cgroup #1",
        lambda one: one.words() == {"ro"} and "ro," in one.ours,
    ),
    Explanation(
        "the source of a cgroup mount is a name without meaning",
        r"mount /sys/fs/cgroup/systemd #1",
        lambda one: one.words() <= {"systemd"},
    ),
    Explanation(
        "the empty directory that masks another needs no programs and no devices: this is stricter",
        r"mount .*",
        lambda one: (
            one.words() <= HARDENED and one.place() in listed(one.field("linux", "maskedPaths"))
        ),
    ),
    Explanation(
        "a container in a user namespace that shares the pids of the host gets the host's own"
        " /proc, as it gets the host's /sys; runc cannot mount one",
        "outcome",
        lambda one: one.ours == "accepted" and 'error mounting \\"proc\\"' in one.theirs,
    ),
    Explanation(
        "a masked file is covered by the host's null device, so that the container need not have one",
        "outcome",
        lambda one: (
            one.ours == "accepted"
            and "can't mask path" in one.theirs
            and "no such file" in one.theirs
        ),
    ),
    Explanation(
        "what is read-only or masked is made so before the root becomes unbindable",
        "outcome",
        lambda one: (
            one.ours == "accepted"
            and "unbindable" in str(one.field("linux", "rootfsPropagation"))
            and ("read-only: mount" in one.theirs or "mask path" in one.theirs)
        ),
    ),
    Explanation(
        "the spec asks for no /proc; runc 1.5 refuses a container without it",
        "outcome",
        lambda one: one.ours == "accepted" and any(text in one.theirs for text in NO_PROC),
    ),
    Explanation(
        "the state is one thing, and so has one version for hooks and for `state`: the config's;"
        " runc has its own version for hooks",
        r"hooks? \d+",
        lambda one: one.words() <= {'"1.0.2"', '"1.3.0"', '"1.0.2-dev"'},
    ),
    Explanation(
        "config.md, POSIX-platform Hooks: `env` is the environment, so none means an empty one;"
        " runc then lets a hook have its own",
        r"hooks \d+",
        lambda one: "HOME= " in one.ours and one.words() & {"HOME=", "HOME=/root"} != set(),
    ),
    Explanation(
        "what covers a masked file is a null device, whoever's",
        r"mount .*",
        lambda one: (
            "/null " in one.ours
            and "/null " in one.theirs
            and one.place() in listed(one.field("linux", "maskedPaths"))
        ),
    ),
    Explanation(
        "config-linux.md: rootfsPropagation is that of the root; runc also takes away with `rslave`"
        " what `mounts` asked for",
        r"mount .*",
        lambda one: (
            str(one.field("linux", "rootfsPropagation")) in ("rslave", "runbindable")
            and all(word.startswith(("shared:", "unbindable")) for word in one.words() - HARDENED)
        ),
    ),
    Explanation(
        "below a shared root a read-only or masked path is a peer group of its own, and its mount"
        " is made before it could propagate to itself; nothing will ever be mounted there",
        r"mount .*",
        lambda one: (
            str(one.field("linux", "rootfsPropagation")) in ("rshared", "shared")
            and (
                all(word.startswith("shared:") for word in one.words() - HARDENED - CGROUP)
                or (not one.ours and not one.key.endswith("#1"))
            )
        ),
    ),
    Explanation(
        "runtime.md: poststart hooks run after the container was started, so it is running",
        r"hooks \d+",
        lambda one: one.ours.startswith("poststart") and '"running"}' in one.ours,
    ),
    Explanation(
        "config-linux.md, Devices: major and minor are not for a fifo; runc then expects them of it",
        "outcome",
        lambda one: one.ours == "accepted" and "new p device inode" in one.theirs,
    ),
    Explanation(
        "config-linux.md, Devices: a fifo is no device that a user namespace forbids; runc looks for"
        " one of the host at its path",
        "outcome|file /dev/.*|inside/open /dev/.*|mount /dev/.*",
        lambda one: (
            "user" in str(one.field("linux", "namespaces"))
            and "'type': 'p'" in str(one.field("linux", "devices"))
            and (one.ours == "accepted" or any(path in one.key for path in FIFOS))
        ),
    ),
    Explanation(
        "config-linux.md, Devices: a file at the path that is not the device MUST be an error; in a"
        " user namespace runc takes whatever device the host has there",
        "outcome",
        lambda one: "the host has" in one.ours and one.theirs == "accepted",
    ),
    Explanation(
        "a read-only path keeps the other attributes of the mount that it is on",
        r"mount .*",
        lambda one: (
            one.words() <= {"nosymfollow"}
            and one.place() in listed(one.field("linux", "readonlyPaths"))
        ),
    ),
    Explanation(
        "the root of /dev/mqueue belongs to who made the ipc namespace, and everybody may write it",
        r"file /dev/mqueue",
        lambda one: one.words() <= {"0", "100000"},
    ),
    Explanation(
        "the last of several values counts, at its place; runc 1.1 left it at the first one's",
        "(exec )?environ",
        lambda one: sorted(one.ours.split()) == sorted(one.theirs.split()),
        (1, 3),
    ),
    Explanation(
        "additional groups are as they were given; runc 1.1 left out what came twice",
        "status/Groups",
        lambda one: set(one.ours.split()) == set(one.theirs.split()),
        (1, 2),
    ),
    Explanation(
        "all directories that are masked are one tmpfs; runc before 1.5 made one for each, without"
        " bounds, and masked twice what was listed twice",
        r"mount .*",
        lambda one: (
            one.place() in listed(one.field("linux", "maskedPaths"))
            and (not one.ours or one.words() <= HARDENED | {"size=4k", "nr_inodes=1"})
        ),
        (1, 5),
    ),
    Explanation(
        "the propagation that the config gives the root reaches the mounts of a cgroup too",
        r"mount /sys/fs/cgroup.*",
        lambda one: all(word.startswith("shared:") for word in one.words() - {"ro", "systemd"}),
        (1, 5),
    ),
    Explanation(
        "a tmpfs has the mode of the directory that it covers; runc 1.1 left out that of a new one",
        r"mount .*",
        lambda one: one.words() == {"mode=755"},
        (1, 2),
    ),
    Explanation(
        "config-linux.md: the limit is on the processes of the container; hooks that run before its"
        " program are not counted",
        "outcome",
        lambda one: (
            one.ours == "accepted"
            and one.field("linux", "resources", "pids", "limit") == 0
            and "Container hook #0: fork/exec" in one.theirs
        ),
    ),
    Explanation(
        "runtime.md: if a startContainer hook fails, the runtime MUST generate an error; `run --detach`"
        " of runc has returned by then",
        "outcome",
        lambda one: "running startContainer hook" in one.ours and one.theirs == "accepted",
    ),
    Explanation(
        "the same for a process that joins",
        r"exec (status/Cap(Bnd|Eff|Prm)|inside/(write|open|mkdir).*)",
        lambda one: (
            one.field(EXEC, "capabilities") is None and one.field("process", "capabilities") is None
        ),
    ),
    Explanation(
        "the spec asks for no /proc; runc needs one to let a process join",
        "exec outcome",
        lambda one: one.ours == "started" and "'/proc'" not in str(one.field("mounts")),
    ),
    Explanation(
        "an empty tmpfs that is read-only stays so where another mount covers it, and the other one"
        " does not become that; runc makes read-only at the end whatever is at the place then",
        "mount .*|outcome",
        lambda one: _is_covered_tmpfs(one.config),
    ),
    Explanation(
        "config.md, Linux Process: what cannot be granted is a warning, as for the first process",
        "exec outcome",
        lambda one: one.ours == "started" and "SYS_RESOURCE" in str(one.field(EXEC)),
    ),
    Explanation(
        "a process that joins has the limits of the container if it is given none of its own, which"
        " is what runc means too, but its state does not have them",
        "exec limit/.*",
        lambda one: not one.field(EXEC, "rlimits") and bool(one.field("process", "rlimits")),
    ),
    Explanation(
        "config.md: umask and oomScoreAdj are of a process, so also of the one that `exec --process`"
        " describes; runc takes them from the container there",
        "exec (status/Umask|inside/umask|oom_score_adj)",
        lambda one: (
            one.field(EXEC, "user", "umask") is not None
            or one.field(EXEC, "oomScoreAdj") is not None
        ),
    ),
    Explanation(
        "a process that joins has the umask of the container if it is given none; runc 1.1 did not",
        "exec (status/Umask|inside/umask)",
        lambda one: one.field("process", "user", "umask") is not None,
        (1, 5),
    ),
)
