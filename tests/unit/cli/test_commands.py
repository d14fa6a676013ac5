# SPDX-License-Identifier: Apache-2.0
"""The table of commands is whole and without contradictions."""

import pytest

from ocirun.cli.commands import COMMANDS, GLOBAL, HELP, MANY, VERSION, argument_limits
from ocirun.cli.flags import CHECKS

# From the manual pages of runc 1.5 (man/*.8.md and --help).
RUNC = {
    "checkpoint": "image-path work-path parent-path leave-running tcp-established"
    " tcp-skip-in-flight link-remap ext-unix-sk shell-job lazy-pages status-fd page-server"
    " file-locks pre-dump manage-cgroups-mode empty-ns auto-dedup",
    "create": "bundle b console-socket pidfd-socket pid-file no-pivot no-new-keyring preserve-fds",
    "delete": "force f",
    "events": "interval stats",
    "exec": "console-socket pidfd-socket cwd env e tty t user u additional-gids g process p detach"
    " d pid-file process-label apparmor no-new-privs cap c preserve-fds cgroup ignore-paused",
    "features": "",
    "kill": "all a",
    "list": "format f quiet q",
    "pause": "",
    "ps": "format f",
    "restore": "console-socket image-path work-path tcp-established ext-unix-sk shell-job"
    " file-locks manage-cgroups-mode bundle b detach d pid-file no-subreaper no-pivot empty-ns"
    " auto-dedup lazy-pages lsm-profile lsm-mount-context",
    "resume": "",
    "run": "bundle b console-socket pidfd-socket detach d keep pid-file no-subreaper no-pivot"
    " no-new-keyring preserve-fds",
    "spec": "bundle b rootless",
    "start": "",
    "state": "",
    "update": "resources r blkio-weight cpu-period cpu-quota cpu-burst cpu-share cpu-rt-period"
    " cpu-rt-runtime cpuset-cpus cpuset-mems kernel-memory kernel-memory-tcp memory cpu-idle"
    " memory-reservation memory-swap pids-limit l3-cache-schema mem-bw-schema",
}

#: what runc has not
OURS = {
    "completion": "",
    "doctor": "format f",
    "explain": "format f all a trace svg",
    "top": "format f interval once",
}


#: flags of ours for commands of runc
MORE = {
    "create": "config trace",
    "delete": "regex",
    "kill": "regex",
    "run": "config trace",
}


def test_every_command_of_runc_is_known() -> None:
    assert sorted(COMMANDS) == sorted([*RUNC, *OURS])


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_flag_of_runc_is_known(name: str) -> None:
    names = [name for flag in COMMANDS[name][2] for name in flag[0]]
    assert len(names) == len(set(names))
    assert sorted(names) == sorted(f"{(RUNC | OURS)[name]} {MORE.get(name, '')}".split())


def test_the_global_flags() -> None:
    names = [name for flag in GLOBAL for name in flag[0]]
    wanted = [
        "cgroup-manager",
        "criu",
        "debug",
        "log",
        "log-format",
        "log-level",
        "root",
        "rootless",
        "systemd-cgroup",
    ]
    assert sorted(names) == wanted


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_flag_can_be_parsed_and_explained(name: str) -> None:
    for names, kind, word, text in (*COMMANDS[name][2], *GLOBAL, HELP, VERSION):
        assert kind in CHECKS
        assert (kind == "bool") == (not word), names
        assert not text.endswith("."), names


def test_argument_limits() -> None:
    assert argument_limits("") == (0, 0)
    assert argument_limits("ID") == (1, 1)
    assert argument_limits("[BUNDLE]") == (0, 1)
    assert argument_limits("ID [SIGNAL]") == (1, 2)
    assert argument_limits("ID [COMMAND [ARG...]]") == (1, MANY)
