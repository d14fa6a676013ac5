# SPDX-License-Identifier: Apache-2.0
"""Ids, groups, capabilities, seccomp: each is asked of /proc, not of the stub."""

import errno
import os
from pathlib import Path
from struct import pack

import pytest
from tests.stub.dialogue import Begin

from ocirun.engine import wire
from ocirun.engine.wire import Plan

ALL = (1 << 41) - 1
PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 8, 38
NEW_LISTENER = 8
ALLOW = pack("<HBBI", 6, 0, 0, 0x7FFF0000)
CLONE_NEWUTS = 0x04000000


def status(begin: Begin, plan: Plan) -> dict[str, str]:
    """Carry out the plan; give /proc/PID/status as it is then."""
    plan.add("SYNC", 1)
    stub = begin(plan)
    message = stub.receive()
    assert message
    assert message.kind == wire.SYNC, message
    lines = Path(f"/proc/{stub.pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def capabilities(found: dict[str, str]) -> dict[str, int]:
    names = {"Eff": "effective", "Prm": "permitted", "Inh": "inheritable", "Amb": "ambient"}
    return {name: int(found[f"Cap{key}"], 16) for key, name in names.items()}


@pytest.mark.root
def test_ids_and_groups(begin: Begin, plan: Plan) -> None:
    groups = (5, 70000, 2**32 - 2)
    plan.add("GROUPS", len(groups), b"".join(pack("<I", gid) for gid in groups))
    plan.add("IDENTITY", 1234, 5678)
    found = status(begin, plan)
    assert found["Uid"].split() == ["1234"] * 4
    assert found["Gid"].split() == ["5678"] * 4
    assert [int(gid) for gid in found["Groups"].split()] == list(groups)


@pytest.mark.root
def test_no_groups(begin: Begin, plan: Plan) -> None:
    plan.add("GROUPS", 1, pack("<I", 5))
    plan.add("GROUPS", 0, b"")
    assert status(begin, plan)["Groups"] == ""


@pytest.mark.parametrize("count", [7, 65, 1 << 32, 1 << 62, (1 << 62) + 1])
def test_more_groups_than_the_plan_has(begin: Begin, plan: Plan, count: int) -> None:
    """The size of the list was once computed modulo 2**64."""
    plan.add("GROUPS", count, pack("<I", 5))
    assert begin(plan).failure() == (0, errno.EPROTO)


@pytest.mark.root
def test_bounding_set(begin: Begin, plan: Plan) -> None:
    wanted = 1 << 0 | 1 << 21 | 1 << 39
    plan.add("BOUNDING", wanted | 1 << 63)
    assert int(status(begin, plan)["CapBnd"], 16) == wanted


@pytest.mark.root
def test_capability_sets(begin: Begin, plan: Plan) -> None:
    effective, permitted, inheritable = 1 << 10, 1 << 10 | 1 << 12 | 1 << 39, 1 << 10 | 1 << 39
    # 12 is not inheritable: left out, for the kernel would refuse it.
    plan.add("CAPABILITIES", effective, permitted, inheritable, 1 << 39 | 1 << 12)
    assert capabilities(status(begin, plan)) == {
        "effective": effective,
        "permitted": permitted,
        "inheritable": inheritable,
        "ambient": 1 << 39,
    }


@pytest.mark.root
def test_capabilities_of_another_user(begin: Begin, plan: Plan) -> None:
    plan.add("PRCTL", PR_SET_KEEPCAPS, 1, 0)
    plan.add("IDENTITY", 1000, 1000)
    plan.add("CAPABILITIES", 1 << 10, 1 << 10, 1 << 10, 1 << 10)
    found = status(begin, plan)
    assert set(capabilities(found).values()) == {1 << 10}
    assert found["Uid"].split()[0] == "1000"


@pytest.mark.root
def test_what_the_kernel_refuses(begin: Begin, plan: Plan) -> None:
    plan.add("CAPABILITIES", 0, 0, 0, 0)
    plan.add("CAPABILITIES", 1, 1, 0, 0)
    assert begin(plan).failure() == (1, errno.EPERM)


def test_umask(begin: Begin, plan: Plan) -> None:
    plan.add("UMASK", 0o137)
    assert int(status(begin, plan)["Umask"], 8) == 0o137


def test_no_new_privileges(begin: Begin, plan: Plan) -> None:
    plan.add("PRCTL", PR_SET_NO_NEW_PRIVS, 1, 0)
    assert status(begin, plan)["NoNewPrivs"] == "1"


def test_filter(begin: Begin, plan: Plan) -> None:
    plan.add("PRCTL", PR_SET_NO_NEW_PRIVS, 1, 0)
    plan.add("SECCOMP", 0, ALLOW * 4, 4, 5)
    found = status(begin, plan)
    assert found["Seccomp"] == "2"
    assert found["Seccomp_filters"] == "1"


@pytest.mark.parametrize("count", [5, 4097, 1 << 61])
def test_filter_that_is_not_all_there(begin: Begin, plan: Plan, count: int) -> None:
    plan.add("SECCOMP", 0, ALLOW, count, 5)
    assert begin(plan).failure() == (0, errno.EPROTO)


def test_filter_with_a_listener(begin: Begin, plan: Plan) -> None:
    plan.add("PRCTL", PR_SET_NO_NEW_PRIVS, 1, 0)
    plan.add("SECCOMP", NEW_LISTENER, ALLOW, 1, 5)
    plan.add("SYNC", 1)
    stub = begin(plan)
    message = stub.expect(wire.FD)
    assert message.value == 5
    assert os.readlink(f"/proc/self/fd/{message.fd}") == "anon_inode:seccomp notify"
    os.close(message.fd)
    stub.go()
    stub.expect(wire.SYNC)
    assert "anon_inode:seccomp notify" not in stub.open_files()


def test_filter_with_a_listener_and_nobody_to_take_it(begin: Begin, plan: Plan) -> None:
    plan.add("PRCTL", PR_SET_NO_NEW_PRIVS, 1, 0)
    plan.add("SECCOMP", NEW_LISTENER, ALLOW, 1, 5)
    stub = begin(plan)
    os.close(stub.expect(wire.FD).fd)
    assert stub.hang_up() == 1


@pytest.mark.root
def test_names(begin: Begin, plan: Plan) -> None:
    plan.add("UNSHARE", CLONE_NEWUTS)
    plan.add("HOSTNAME", "a.name", 6)
    plan.add("DOMAINNAME", "a.domain", 8)
    argv = (b"sh", b"-c", b"cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname")
    plan.add("PROGRAM", (b"/bin/sh",))
    plan.add("EXEC", argv, (b"PATH=/usr/bin:/bin",))
    stub = begin(plan)
    assert stub.end() == 0
    assert stub.printed() == "a.name\na.domain\n"


@pytest.mark.root
def test_owner_of_the_standard_streams(begin: Begin, plan: Plan) -> None:
    plan.add("STDIO_OWNER", 1234)
    plan.add("SYNC", 1)
    stub = begin(plan)
    stub.expect(wire.SYNC)
    assert os.fstat(stub.output).st_uid == 1234
    assert os.stat("/dev/null").st_uid == 0
