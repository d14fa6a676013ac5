# SPDX-License-Identifier: Apache-2.0
from typing import TYPE_CHECKING

import pytest

from ocirun.spec import features, schema, shape, validate

if TYPE_CHECKING:
    from tests.unit.spec.conftest import Refusal


def test_order_of_keys_is_that_of_the_spec() -> None:
    document = features.document(
        mount_options=["rw", "ro"],
        capabilities=["CAP_KILL", "CAP_CHOWN"],
        seccomp={"supportedFlags": ["SECCOMP_FILTER_FLAG_LOG"], "actions": ["SCMP_ACT_LOG"]},
        annotations={"b": "2", "a": "1"},
    )
    assert list(document) == [
        "ociVersionMin",
        "ociVersionMax",
        "hooks",
        "mountOptions",
        "linux",
        "annotations",
        "potentiallyUnsafeConfigAnnotations",
    ]
    assert document["mountOptions"] == ["ro", "rw"]
    assert list(document["annotations"].items()) == [("a", "1"), ("b", "2")]  # type: ignore[attr-defined]
    linux = document["linux"]
    assert isinstance(linux, dict)
    assert list(linux) == [
        "namespaces",
        "capabilities",
        "cgroup",
        "seccomp",
        "apparmor",
        "selinux",
        "intelRdt",
        "memoryPolicy",
        "mountExtensions",
        "netDevices",
    ]
    assert linux["capabilities"] == ["CAP_KILL", "CAP_CHOWN"]
    assert list(linux["seccomp"].items()) == [
        ("enabled", True),
        ("actions", ["SCMP_ACT_LOG"]),
        ("supportedFlags", ["SECCOMP_FILTER_FLAG_LOG"]),
    ]


def test_what_the_caller_does_not_know_is_left_out() -> None:
    document = features.document()
    assert "mountOptions" not in document
    assert isinstance(document["linux"], dict)
    assert "capabilities" not in document["linux"]
    assert "seccomp" not in document["linux"]
    assert None not in document.values()


@pytest.mark.parametrize("version", [features.VERSION_MIN, features.VERSION_MAX])
def test_the_versions_are_accepted(version: str) -> None:
    validate.check_version(version, "ociVersion")


def test_the_hooks_are_those_that_the_validation_knows() -> None:
    assert set(features.HOOKS) == set(schema.HOOKS)


@pytest.mark.parametrize("kind", features.NAMESPACES)
def test_the_namespaces_are_accepted(kind: str) -> None:
    namespaces: list[object] = [{"type": kind}]
    shape.check(namespaces, schema.LINUX["namespaces"], "linux.namespaces")


@pytest.mark.parametrize("mode", features.MEMORY_POLICY_MODES)
def test_the_memory_policies_are_accepted(refusal: "Refusal", mode: str) -> None:
    nodes = "" if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else "0"
    for flag in features.MEMORY_POLICY_FLAGS:
        assert (
            refusal("linux/memoryPolicy", {"mode": mode, "nodes": nodes, "flags": [flag]}) is None
        )
