# SPDX-License-Identifier: Apache-2.0
"""Labels on a host that has no module for them: refused, before anything is made."""

from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import put, refused

from ocirun.linux import lsm

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Exec

pytestmark = pytest.mark.root

APPARMOR = "apparmor: config provided but apparmor not supported"
SELINUX = "selinux label is specified in config, but selinux is disabled or not supported"


@pytest.fixture(autouse=True)
def _without() -> None:
    if lsm.has_apparmor() or lsm.has_selinux():
        pytest.skip("a host without AppArmor and SELinux")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("process__apparmorProfile", APPARMOR),
        ("process__selinuxLabel", SELINUX),
        ("linux__mountLabel", SELINUX),
    ],
)
def test_run(command: "Command", bundle: "Bundles", name: str, field: str, text: str) -> None:
    path = bundle("true", change=put(**{field: "x"}))
    refused(command("run", "-b", str(path), name), field.replace("__", "."), text, "boot with lsm=")


@pytest.mark.parametrize("field", ["process__apparmorProfile", "linux__mountLabel"])
def test_empty(command: "Command", bundle: "Bundles", name: str, field: str) -> None:
    path = bundle("true", change=put(**{field: ""}))
    assert command("run", "-b", str(path), name).returncode == 0


@pytest.mark.parametrize(
    ("flag", "field", "text"),
    [("--apparmor", "apparmorProfile", APPARMOR), ("--process-label", "selinuxLabel", SELINUX)],
)
def test_exec(container: "Exec", flag: str, field: str, text: str) -> None:
    container.look.start()
    name = container.look.name
    done = container.command("exec", flag, "x", name, "true")
    refused(done, f"process.{field}: {text}", code=255)
    file = container.write("true", **{field: "x"})
    refused(container.command("exec", "--process", file, name), f"process.{field}: ", code=255)
    container.look.end()
