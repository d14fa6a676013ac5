# SPDX-License-Identifier: Apache-2.0
"""The table of commands: what they are for, their arguments and their flags.

Nothing but constants, so that reading it costs next to nothing.  Each command has a
module of its name in this package.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.flags import Flag, Flags

    # Summary, arguments as the help shows them, flags.
    Row = tuple[str, str, Flags]

MANY = 1 << 31

HELP: "Flag" = (("help", "h"), "bool", "", "show this help")
VERSION: "Flag" = (("version", "v"), "bool", "", "show the version")

# These are known to every command too, so they may stand after its name.
GLOBAL: "Flags" = (
    (("debug",), "bool", "", "log every step"),
    (
        ("log",),
        "text",
        "FILE",
        "append to FILE, or tell journald:NAME or syslog:NAME; default: stderr",
    ),
    (("log-level",), "text", "LEVEL", "least level to log: error, warning or debug"),
    (("log-format",), "text", "FORMAT", "format of the log: text or json; default: text"),
    (("root",), "text", "DIR", "where the state of containers is kept; default: /run/ocirun"),
    (("systemd-cgroup",), "bool", "", "let systemd make the cgroups"),
    (("cgroup-manager",), "text", "WHO", "who makes the cgroups: cgroupfs, systemd or disabled"),
    (("rootless",), "text", "WHEN", "tolerate missing cgroup rights: true, false or auto"),
    (("criu",), "text", "PATH", ""),
)

BUNDLE: "Flag" = (("bundle", "b"), "text", "DIR", "bundle directory; default: the current one")
CONSOLE: "Flag" = (("console-socket",), "text", "PATH", "unix socket that gets the terminal's fd")
PIDFD: "Flag" = (("pidfd-socket",), "text", "PATH", "unix socket that gets a pidfd of the process")
PID_FILE: "Flag" = (("pid-file",), "text", "FILE", "write the pid of the process to FILE")
DETACH: "Flag" = (("detach", "d"), "bool", "", "do not wait for the process to end")
NO_PIVOT: "Flag" = (("no-pivot",), "bool", "", "do not pivot_root: for a rootfs on a ramdisk")
NO_KEYRING: "Flag" = (("no-new-keyring",), "bool", "", "keep the caller's session keyring")
NO_REAPER: "Flag" = (("no-subreaper",), "bool", "", "do not become a child subreaper")
PRESERVE: "Flag" = (("preserve-fds",), "int", "N", "pass N more fds, from 3 + $LISTEN_FDS on")
TRACE: "Flag" = (("trace",), "text", "FILE", "write there when each step began and ended")
REGEX: "Flag" = (("regex",), "bool", "", "ID is a regular expression for several containers")
CONFIG: "Flag" = (("config",), "text", "FILE", "read this file instead of the bundle's config.json")
FORMAT: "Flag" = (("format", "f"), "text", "FORMAT", "table or json; default: table")
PROCESS: "Flags" = (CONSOLE, PIDFD, PID_FILE, PRESERVE)

IMAGE_PATH: "Flag" = (("image-path",), "text", "DIR", "directory of the image files")
WORK_PATH: "Flag" = (("work-path",), "text", "DIR", "directory of work files and logs")
TCP: "Flag" = (("tcp-established",), "bool", "", "allow open TCP connections")
UNIX: "Flag" = (("ext-unix-sk",), "bool", "", "allow unix sockets that lead outside")
SHELL_JOB: "Flag" = (("shell-job",), "bool", "", "allow a process with a terminal from outside")
FILE_LOCKS: "Flag" = (("file-locks",), "bool", "", "handle file locks")
CGROUPS_MODE: "Flag" = (("manage-cgroups-mode",), "text", "MODE", "soft, full, strict or ignore")
EMPTY_NS: "Flag" = (("empty-ns",), "texts", "TYPE", "make this namespace, but leave it empty")
AUTO_DEDUP: "Flag" = (("auto-dedup",), "bool", "", "drop memory pages that are stored twice")
LAZY_PAGES: "Flag" = (("lazy-pages",), "bool", "", "restore memory on demand, by userfaultfd")

CHECKPOINT: "Flags" = (
    IMAGE_PATH,
    WORK_PATH,
    (("parent-path",), "text", "DIR", "images of an earlier --pre-dump, relative to --image-path"),
    (("leave-running",), "bool", "", "let the container run on"),
    TCP,
    (("tcp-skip-in-flight",), "bool", "", "skip TCP connections that are being opened"),
    (("link-remap",), "bool", "", "link deleted files again where possible"),
    UNIX,
    SHELL_JOB,
    LAZY_PAGES,
    (("status-fd",), "int", "FD", "written to once lazy pages can be served"),
    (("page-server",), "text", "ADDRESS:PORT", "send memory pages to this server"),
    FILE_LOCKS,
    (("pre-dump",), "bool", "", "save the memory only, and let the container run on"),
    CGROUPS_MODE,
    EMPTY_NS,
    AUTO_DEDUP,
)

EXEC: "Flags" = (
    *PROCESS,
    DETACH,
    (("cwd",), "text", "DIR", "working directory in the container"),
    (("env", "e"), "texts", "NAME=VALUE", "set an environment variable; may be repeated"),
    (("tty", "t"), "bool", "", "give the process a terminal"),
    (("user", "u"), "text", "UID[:GID]", "user and group of the process"),
    (("additional-gids", "g"), "ints", "GID", "additional group; may be repeated"),
    (("process", "p"), "text", "FILE", "read the process from this JSON file"),
    (("process-label",), "text", "LABEL", "SELinux label of the process"),
    (("apparmor",), "text", "PROFILE", "AppArmor profile of the process"),
    (("no-new-privs",), "bool", "", "forbid the process to gain privileges"),
    (("cap", "c"), "texts", "CAP", "add a capability; may be repeated"),
    (("cgroup",), "texts", "[CONTROLLER:]PATH", "sub-cgroup to run in; may be repeated"),
    (("ignore-paused",), "bool", "", "allow this in a paused container"),
)

RESTORE: "Flags" = (
    BUNDLE,
    CONSOLE,
    PID_FILE,
    DETACH,
    IMAGE_PATH,
    WORK_PATH,
    TCP,
    UNIX,
    SHELL_JOB,
    FILE_LOCKS,
    CGROUPS_MODE,
    NO_REAPER,
    NO_PIVOT,
    EMPTY_NS,
    AUTO_DEDUP,
    LAZY_PAGES,
    (("lsm-profile",), "text", "TYPE:NAME", "LSM profile of the restored processes"),
    (("lsm-mount-context",), "text", "CONTEXT", "LSM mount context of the restored mounts"),
)

UPDATE: "Flags" = (
    (("resources", "r"), "text", "FILE", "read linux.resources from a JSON file; - is stdin"),
    (("memory",), "text", "BYTES", "memory limit"),
    (("memory-reservation",), "text", "BYTES", "memory soft limit"),
    (("memory-swap",), "text", "BYTES", "limit of memory and swap together; -1: none"),
    (("kernel-memory",), "text", "BYTES", ""),
    (("kernel-memory-tcp",), "text", "BYTES", ""),
    (("cpu-period",), "text", "USECS", "CFS period"),
    (("cpu-quota",), "text", "USECS", "CPU time allowed in each period"),
    (("cpu-burst",), "text", "USECS", "CPU time saved up for a burst"),
    (("cpu-share",), "text", "N", "weight against other containers"),
    (("cpu-rt-period",), "text", "USECS", "realtime period"),
    (("cpu-rt-runtime",), "text", "USECS", "realtime CPU time allowed in each period"),
    (("cpu-idle",), "text", "0|1", "1: run only when the CPU is idle"),
    (("cpuset-cpus",), "text", "LIST", "CPUs to use"),
    (("cpuset-mems",), "text", "LIST", "memory nodes to use"),
    (("pids-limit",), "int", "N", "number of processes; -1: no limit"),
    (("blkio-weight",), "int", "N", "block I/O weight, 10 to 1000"),
    (("l3-cache-schema",), "text", "SCHEMA", "Intel RDT L3 cache schema"),
    (("mem-bw-schema",), "text", "SCHEMA", "Intel RDT memory bandwidth schema"),
)

COMMANDS: "dict[str, Row]" = {
    "checkpoint": ("save a running container to disk", "ID", CHECKPOINT),
    "completion": ("print a script by which a shell completes command lines", "SHELL", ()),
    "create": (
        "make a container, ready to be started",
        "ID",
        (BUNDLE, *PROCESS, NO_PIVOT, NO_KEYRING, CONFIG, TRACE),
    ),
    "delete": (
        "remove a stopped container",
        "ID",
        ((("force", "f"), "bool", "", "kill it first; a missing container is no error"), REGEX),
    ),
    "doctor": ("look at this host: what works, what is missing, what helps", "", (FORMAT,)),
    "events": (
        "print statistics and out-of-memory events of a container",
        "ID",
        (
            (("interval",), "duration", "TIME", "time between two statistics; default: 5s"),
            (("stats",), "bool", "", "print the statistics once, then end"),
        ),
    ),
    "exec": ("run one more process in a container", "ID [COMMAND [ARG...]]", EXEC),
    "explain": (
        "print what run would do with a bundle, and what this host cannot do",
        "[BUNDLE]",
        (
            FORMAT,
            (("all", "a"), "bool", "", "show also the housekeeping of descriptors"),
            (("trace",), "text", "FILE", "draw what run --trace has written, instead of a bundle"),
            (("svg",), "bool", "", "draw it as a picture for a page"),
        ),
    ),
    "features": ("print what this runtime supports, as JSON", "", ()),
    "kill": (
        "send a signal to the first process of a container; default: TERM",
        "ID [SIGNAL]",
        ((("all", "a"), "bool", "", ""), REGEX),
    ),
    "list": (
        "list containers",
        "",
        (FORMAT, (("quiet", "q"), "bool", "", "print only the IDs")),
    ),
    "pause": ("freeze all processes of a container", "ID", ()),
    "ps": ("list the processes of a container", "ID [PS-OPTION...]", (FORMAT,)),
    "restore": ("restore a container that was saved by checkpoint", "ID", RESTORE),
    "resume": ("let a paused container go on", "ID", ()),
    "run": (
        "make a container, start it and wait for its end",
        "ID",
        (
            BUNDLE,
            *PROCESS,
            DETACH,
            (("keep",), "bool", "", "do not delete the container when it ends"),
            NO_REAPER,
            NO_PIVOT,
            NO_KEYRING,
            CONFIG,
            TRACE,
        ),
    ),
    "spec": (
        "write a config.json to start from",
        "",
        (BUNDLE, (("rootless",), "bool", "", "write one for a user without privileges")),
    ),
    "start": ("start the process of a created container", "ID", ()),
    "state": ("print the state of a container, as JSON", "ID", ()),
    "top": (
        "show what all containers use, redrawn in place",
        "",
        (
            FORMAT,
            (("interval",), "duration", "TIME", "time between two samples; default: 2s"),
            (("once",), "bool", "", "print one sample, then end"),
        ),
    ),
    "update": ("change the resource limits of a container", "ID", UPDATE),
}


def argument_limits(usage: str) -> tuple[int, int]:
    """Least and most number of arguments, read from how the help writes them."""
    words = usage.split()
    most = MANY if "..." in usage else len(words)
    return int(bool(words) and not words[0].startswith("[")), most
