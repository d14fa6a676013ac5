# SPDX-License-Identifier: Apache-2.0
"""The program, its environment, and the rights that it starts with."""

import pytest
from tests.unit.engine.planning import build, find, names, steps

from ocirun.engine.process import Program, directory_to_make
from ocirun.errors import SpecError
from ocirun.spec.model import Process, Spec


def program(*args: str, env: list[str] | None = None) -> Program:
    process: Process = {"args": list(args), "cwd": "/"}
    if env is not None:
        process["env"] = env
    return Program(process)


@pytest.mark.parametrize(
    ("name", "path", "wanted"),
    [
        ("sh", "/bin:/usr/bin", ["/bin/sh", "/usr/bin/sh"]),
        ("/bin/sh", "/usr/bin", ["/bin/sh"]),
        ("./sh", "/bin", ["./sh"]),
        ("bin/sh", "/bin", ["bin/sh"]),
        ("sh", "", []),
        ("sh", ":/bin:", ["/bin/sh"]),
        ("sh", "bin", ["bin/sh"]),
    ],
)
def test_candidates(name: str, path: str, wanted: list[str]) -> None:
    found = program(name, env=[f"PATH={path}"]).candidates
    assert found == tuple(entry.encode() for entry in wanted)


def test_no_path() -> None:
    assert program("sh").candidates == ()
    assert program("sh", env=["XPATH=/bin"]).candidates == ()


def test_arguments_that_are_no_utf_8() -> None:
    assert program("a", "\udcff", "ü").args == (b"a", b"\xff", "ü".encode())


def test_last_one_of_a_name_wins() -> None:
    found = program("x", env=["A=1", "B=2", "A=3=4", "HOME=/h"])
    assert found.env == (b"B=2", b"A=3=4", b"HOME=/h")
    assert found.home == -1


@pytest.mark.parametrize("env", [[], ["A=1"], ["HOME=", "A=1"], ["HOME"]])
def test_place_for_a_home(env: list[str]) -> None:
    found = program("x", env=env)
    assert found.home == len(found.env) - 1
    assert [entry for entry in found.env if entry.startswith(b"HOME")] == [b"HOME=/"]


@pytest.mark.parametrize(
    ("cwd", "wanted"), [("/", ""), ("//", "//"), ("/a/../..", ""), ("/a/./b/", "/a/b")]
)
def test_directory_to_make(cwd: str, wanted: str) -> None:
    assert directory_to_make({"args": ["x"], "cwd": cwd}) == wanted


def test_ids_before_capabilities(document: Spec) -> None:
    """Groups, then ids, then what capabilities are left; keepcaps only in between."""
    document["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7, 2**32 - 2]}
    found = steps(build(document))
    late = found[names(build(document)).index("UMASK") :]
    kept, dropped = ("PRCTL", 8, 1, 0), ("PRCTL", 8, 0, 0)
    groups = ("GROUPS", 2, b"\7\0\0\0\xfe\xff\xff\xff")
    assert (
        late.index(kept)
        < late.index(groups)
        < late.index(("IDENTITY", 5, 6))
        < late.index(dropped)
        < [step[0] for step in late].index("CAPABILITIES")
    )


def test_bounding_set_goes_first(document: Spec) -> None:
    found = names(build(document))
    assert found.index("BOUNDING") < len(found) - found[::-1].index("IDENTITY")


def test_groups_that_may_not_be_set(document: Spec) -> None:
    document["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": [7]}
    with pytest.raises(SpecError, match=r"^process.user.additionalGids: "):
        build(document, change=lambda setting: setattr(setting, "may_setgroups", False))


def test_no_groups_to_set(document: Spec) -> None:
    plan = build(document, change=lambda setting: setattr(setting, "may_setgroups", False))
    assert "GROUPS" not in names(plan)


@pytest.mark.parametrize(("user", "mask"), [({"umask": 0o77}, 0o77), ({}, 0o22), ({"umask": 0}, 0)])
def test_umask(document: Spec, user: dict[str, int], mask: int) -> None:
    document["process"]["user"] = {"uid": 0, "gid": 0}
    if "umask" in user:
        document["process"]["user"]["umask"] = user["umask"]
    assert find(build(document), "UMASK").args == (mask,)


def test_no_new_privileges(document: Spec) -> None:
    assert ("PRCTL", 38, 1, 0) in steps(build(document))
    document["process"]["noNewPrivileges"] = False
    assert ("PRCTL", 38, 1, 0) not in steps(build(document))


def test_limits_are_waited_for_once(document: Spec) -> None:
    """The answer to HOME sets them too."""
    assert names(build(document)).count("SYNC") == 0
    document["process"]["env"].append("HOME=/")
    assert [step for step in steps(build(document)) if step[0] == "SYNC"] == [("SYNC", 6)]


@pytest.mark.parametrize("count", [0, 3])
def test_descriptors_for_the_program(document: Spec, count: int) -> None:
    plan = build(document, change=lambda setting: setattr(setting, "preserve_fds", count))
    assert find(plan, "CLOEXEC").args == (3 + count, 0xFFFFFFFF, 4)
