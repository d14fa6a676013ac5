# SPDX-License-Identifier: Apache-2.0
"""Findings about hosts that are described by a few files; what is tried is tried here."""

import errno
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from ocirun.engine import doctor
from ocirun.engine.findings import BAD, GOOD, POOR, Finding, Host

Make = Callable[[dict[str, str]], Host]


@pytest.fixture
def host(tmp_path: Path) -> Make:
    def make(files: dict[str, str]) -> Host:
        for name, text in files.items():
            path = tmp_path / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            if "/bin/" in name:
                path.chmod(0o755)
        found = Host(str(tmp_path), "somebody")
        found.privileged = False
        return found

    return make


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.mark.parametrize(
    ("release", "state"),
    [("6.1.0-37-amd64", GOOD), ("5.12.0", GOOD), ("5.4.0", BAD), ("4.19.0-1-x", BAD)],
)
def test_kernel(host: Make, release: str, state: str) -> None:
    found = only(doctor.kernel(host({"/proc/sys/kernel/osrelease": release + "\n"})))
    assert found.state == state
    assert release in found.seen


def test_user_namespaces(host: Make) -> None:
    assert only(doctor.user_namespaces(host({}))).state == GOOD


@pytest.mark.parametrize(
    ("file", "value", "remedy"),
    [
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ],
)
def test_user_namespaces_forbidden(host: Make, file: str, value: str, remedy: str) -> None:
    found = only(doctor.user_namespaces(host({f"/proc/sys/{file}": f"{value}\n"})))
    assert (found.state, found.remedy) == (BAD, remedy)


def test_subordinate_ids(host: Make) -> None:
    files = {f"/usr/bin/new{kind}map": "" for kind in ("uid", "gid")}
    files |= {f"/etc/sub{kind}": "other:1:2\nsomebody:100000:65536\n" for kind in ("uid", "gid")}
    found = list(doctor.subordinate_ids(host(files)))
    assert [finding.state for finding in found] == [GOOD] * 4
    assert found[1].seen == "somebody:100000:65536"


def test_no_subordinate_ids(host: Make) -> None:
    found = list(doctor.subordinate_ids(host({"/etc/subuid": "other:1:2\n"})))
    assert [finding.state for finding in found] == [POOR] * 4
    assert found[0].remedy == "apt-get install uidmap"
    assert found[1].remedy == "usermod --add-subuids 100000-165535 somebody"


@pytest.mark.parametrize(("text", "state"), [("Y\n", GOOD), ("N\n", POOR)])
def test_apparmor(host: Make, text: str, state: str) -> None:
    found = only(doctor.apparmor(host({"/sys/module/apparmor/parameters/enabled": text})))
    assert found.state == state


def test_selinux(host: Make) -> None:
    assert only(doctor.selinux(host({}))).state == POOR
    assert only(doctor.selinux(host({"/sys/fs/selinux/enforce": "1"}))).seen == "enforcing"


def test_a_kernel_without_filters(host: Make) -> None:
    assert only(doctor.seccomp(host({}))).state == BAD


def test_no_criu(host: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = only(doctor.checkpoint(host({})))
    assert (found.state, found.remedy) == (POOR, "apt-get install criu")


def test_reason_of_criu() -> None:
    output = (
        "Error (criu/util.c:642): exited, status=1\n"
        "Error (criu/vdso.c:381): vdso: Unexpected rt vDSO area bounds\n"
    )
    assert doctor._reason(output) == "vdso: Unexpected rt vDSO area bounds"


def test_an_attempt_that_fails() -> None:
    assert doctor.attempt(("FSOPEN", (0, "no such filesystem"))) in (errno.ENODEV, errno.EPERM)


def test_an_attempt_that_works() -> None:
    assert doctor.attempt(("OPEN", (0, "/"))) == 0
