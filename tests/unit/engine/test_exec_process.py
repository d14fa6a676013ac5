# SPDX-License-Identifier: Apache-2.0
"""What a process of exec has of its own, and what it has from the container's config."""

import json
from pathlib import Path

import pytest

from ocirun.engine import exec_process
from ocirun.engine.exec import Request
from ocirun.spec.model import Process, Spec

OWN: Process = {
    "args": ["init"],
    "cwd": "/own",
    "env": ["A=1"],
    "terminal": True,
    "user": {"uid": 1, "gid": 2, "umask": 0o77, "additionalGids": [3]},
    "capabilities": {"bounding": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}],
    "noNewPrivileges": True,
    "apparmorProfile": "own",
    "selinuxLabel": "own",
    "oomScoreAdj": 7,
    "scheduler": {"policy": "SCHED_BATCH"},
    "ioPriority": {"class": "IOPRIO_CLASS_IDLE"},
    "execCPUAffinity": {"initial": "0", "final": "1"},
}
#: these come from the container unless the file says otherwise
INHERITED = {
    "apparmorProfile": "other",
    "selinuxLabel": "other",
    "rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}],
    "capabilities": {},
    "scheduler": {"policy": "SCHED_IDLE"},
    "ioPriority": {"class": "IOPRIO_CLASS_BE"},
    "oomScoreAdj": 0,
    "execCPUAffinity": {"final": "0"},
}


@pytest.fixture
def request_() -> Request:
    request = Request("/root", "box")
    request.args = ["sh"]
    return request


@pytest.fixture
def own() -> Spec:
    return {"ociVersion": "1.3.0", "process": json.loads(json.dumps(OWN))}


def from_file(directory: Path, own: Spec, **fields: object) -> Process:
    file = directory / "process.json"
    file.write_text(json.dumps({"args": ["x"], "cwd": "/", **fields}))
    request = Request("/root", "box")
    request.process_file = str(file)
    return exec_process.of(request, own)


def test_of_the_container(request_: Request, own: Spec) -> None:
    """All but the arguments and the terminal."""
    assert exec_process.of(request_, own) == {**OWN, "args": ["sh"], "terminal": False}


def test_changes(request_: Request, own: Spec) -> None:
    request_.env = ["B=2"]
    request_.cwd = "/other"
    request_.uid = 9
    request_.additional_gids = [8]
    request_.apparmor_profile = "strict"
    request_.selinux_label = "a:b:c"
    request_.no_new_privileges = False
    found = exec_process.of(request_, own)
    assert (found["env"], found["cwd"]) == (["A=1", "B=2"], "/other")
    assert found["user"] == {"uid": 9, "gid": 2, "umask": 0o77, "additionalGids": [3, 8]}
    assert (found["apparmorProfile"], found["selinuxLabel"]) == ("strict", "a:b:c")
    assert found["noNewPrivileges"] is False


@pytest.mark.parametrize("inheritable", [[], ["CAP_KILL"]])
def test_more_capabilities_are_never_inheritable(
    request_: Request, own: Spec, inheritable: list[str]
) -> None:
    """CVE-2022-29162."""
    own["process"]["capabilities"]["inheritable"] = inheritable
    request_.capabilities = ["CAP_CHOWN"]
    found = exec_process.of(request_, own)["capabilities"]
    assert found["inheritable"] == inheritable
    assert found["bounding"] == ["CAP_KILL", "CAP_CHOWN"]
    assert found["effective"] == found["permitted"] == ["CAP_CHOWN"]
    assert found.get("ambient", []) == (["CAP_CHOWN"] if inheritable else [])


def test_file_that_says_nothing(tmp_path: Path, own: Spec) -> None:
    """Who it is and what it runs is the file's; how it is confined, the container's."""
    found = from_file(tmp_path, own)
    inherited = {name: value for name, value in OWN.items() if name in INHERITED}
    assert found == {"args": ["x"], "cwd": "/", "user": {"umask": 0o77}, **inherited}


@pytest.mark.parametrize("field", INHERITED)
def test_file_that_says_otherwise(tmp_path: Path, own: Spec, field: str) -> None:
    found: dict[str, object] = {**from_file(tmp_path, own, **{field: INHERITED[field]})}
    assert found[field] == INHERITED[field]


@pytest.mark.parametrize(
    ("field", "nothing"),
    [
        ("apparmorProfile", ""),
        ("selinuxLabel", ""),
        ("rlimits", []),
        ("execCPUAffinity", {}),
        ("execCPUAffinity", {"initial": "", "final": ""}),
    ],
)
def test_file_with_an_empty_field(tmp_path: Path, own: Spec, field: str, nothing: object) -> None:
    found: dict[str, object] = {**from_file(tmp_path, own, **{field: nothing})}
    assert found[field] == OWN[field]  # type: ignore[literal-required]


def test_umask_of_the_file(tmp_path: Path, own: Spec) -> None:
    assert from_file(tmp_path, own, user={"umask": 0, "uid": 4})["user"] == {"umask": 0, "uid": 4}


def test_container_that_has_none_of_it(tmp_path: Path) -> None:
    own: Spec = {"ociVersion": "1.3.0", "process": {"args": ["init"], "cwd": "/"}}
    found = from_file(tmp_path, own)
    assert not any(found[field] for field in INHERITED if field in found)  # type: ignore[literal-required]
