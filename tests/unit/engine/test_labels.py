# SPDX-License-Identifier: Apache-2.0
"""Labels of AppArmor and SELinux: where they are written, when, and what is refused."""

import pytest
from tests.unit.engine.planning import Step, build, names, setting_for, steps

from ocirun.engine import entry, labels
from ocirun.engine.setting import Setting
from ocirun.engine.wire import Plan
from ocirun.errors import KernelError, SpecError
from ocirun.linux import lsm
from ocirun.linux.seccomp_cache import Program as Filter
from ocirun.spec.model import Process, Spec

PROFILE, LABEL, MOUNT_LABEL = (
    "docker-default",
    "system_u:system_r:container_t:s0:c4,c5",
    "system_u:object_r:container_file_t:s0:c4,c5",
)


def on_new_kernel(setting: Setting) -> None:
    setting.apparmor_file = lsm.APPARMOR_EXEC


def ask(document: Spec) -> None:
    document["process"]["apparmorProfile"] = PROFILE
    document["process"]["selinuxLabel"] = LABEL


def test_files(document: Spec) -> None:
    ask(document)
    plan = build(document, change=on_new_kernel)
    assert steps(plan, "process.apparmorProfile") == [
        ("WRITE_AT", 1, "self/attr/apparmor/exec", "exec docker-default"),
        ("READ_AT", 1, "self/attr/apparmor/exec", 15),
    ]
    assert steps(plan, "process.selinuxLabel") == [
        ("WRITE_AT", 1, "self/attr/keycreate", LABEL),
        ("WRITE_AT", 1, "self/attr/exec", LABEL),
        ("READ_AT", 1, "self/attr/exec", 15),
    ]


@pytest.mark.parametrize("sealed", [True, False])
def test_order(document: Spec, *, sealed: bool) -> None:
    """In the new root, by the procfs of the host; before the filter, the hooks and new ids."""
    ask(document)
    document["process"]["noNewPrivileges"] = sealed
    document["hooks"] = {"startContainer": [{"path": "/x"}]}
    plan = build(document, seccomp=Filter(bytes(8), 0), change=on_new_kernel)
    found = [(step.name, *step.args) for step in plan.operations]
    whole = names(plan)
    opened = [at for at, step in enumerate(found) if step[:2] == ("OPEN_PROC", 1)]
    closed = [at for at, step in enumerate(found) if step[:2] == ("CLOSE", 1)]
    labelled = [at for at, step in enumerate(whole) if step == "READ_AT"]
    assert len(opened) == len(closed) == 1
    assert opened[0] < whole.index("PIVOT_ROOT") < labelled[0]
    assert labelled[1] < closed[0]
    for later in ("CLOEXEC", "SECCOMP", "BOUNDING", "START", "HOOK"):
        assert closed[0] < whole.index(later)


def test_keys_are_labelled_before_they_are_made(document: Spec) -> None:
    document["process"]["selinuxLabel"] = LABEL
    found = steps(build(document))
    at = found.index(("WRITE_AT", 1, "self/attr/keycreate", LABEL))
    assert found[at + 1][0] == "KEYRING"


def test_no_labels(document: Spec) -> None:
    plan = build(document)
    assert "READ_AT" not in names(plan)
    assert "WRITE_AT" not in names(plan)


@pytest.mark.parametrize("field", ["apparmorProfile", "selinuxLabel"])
def test_procfs_of_exec_is_that_of_the_host(document: Spec, field: str) -> None:
    document["process"][field] = "x"  # type: ignore[literal-required]
    plan = Plan()
    setting = setting_for(document)
    setting.proc_slot = plan.slot()
    entry.add(plan, setting, document["process"], (9, -1), ([], -1))
    found = steps(plan)
    assert found.index(("OPEN_PROC", 0, "/proc")) < names(plan).index("SETNS")
    assert ("CLOSE", 0) not in found


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("docker-default (enforce)\n", True),
        ("docker-default (complain)\n", True),
        ("docker-default\n", True),
        ("", False),
        ("\n", False),
        ("unconfined\n", False),
        ("docker-default2 (enforce)\n", False),
        ("docker-default//&unconfined (mixed)\n", False),
    ],
)
def test_profile_that_is_read_back(text: str, *, right: bool) -> None:
    process: Process = {"apparmorProfile": PROFILE}
    if right:
        labels.confirm(process, "process.apparmorProfile", text)
        return
    with pytest.raises(KernelError, match=r"^process.apparmorProfile: .* instead of 'docker-d"):
        labels.confirm(process, "process.apparmorProfile", text)


@pytest.mark.parametrize("profile", ["unconfined", "a (b)", "a//&b", ":ns://a"])
def test_names_of_profiles(profile: str) -> None:
    labels.confirm({"apparmorProfile": profile}, "process.apparmorProfile", f"{profile}\n")
    with pytest.raises(KernelError):
        labels.confirm({"apparmorProfile": profile}, "process.apparmorProfile", "\n")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (LABEL, True),
        (LABEL + "\0\n", True),
        # An alias of the type, and categories in the policy's own order.
        ("system_u:system_r:svirt_lxc_net_t:s0:c5,c4", True),
        ("", False),
        ("\n", False),
        ("unconfined_u:unconfined_r:container_t:s0:c4,c5", False),
    ],
)
def test_label_that_is_read_back(text: str, *, right: bool) -> None:
    process: Process = {"selinuxLabel": LABEL}
    if right:
        labels.confirm(process, "process.selinuxLabel", text)
        return
    with pytest.raises(KernelError, match=r"^process.selinuxLabel: .* instead of 'system_u:"):
        labels.confirm(process, "process.selinuxLabel", text)


@pytest.mark.parametrize(
    ("process", "mount_label", "message"),
    [
        ({"apparmorProfile": "x"}, "", "process.apparmorProfile: apparmor: config provided but"),
        ({"selinuxLabel": "x"}, "", "process.selinuxLabel: selinux label is specified in config"),
        ({}, "x", "linux.mountLabel: selinux label is specified in config, but selinux is dis"),
    ],
)
def test_without_the_security_module(
    monkeypatch: pytest.MonkeyPatch, process: Process, mount_label: str, message: str
) -> None:
    monkeypatch.setattr(lsm, "APPARMOR_SWITCH", "/dev/null")
    monkeypatch.setattr(lsm, "SELINUX_MOUNT", "/dev")
    with pytest.raises(SpecError) as caught:
        labels.check(process, mount_label)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_nothing_to_check() -> None:
    labels.check({"apparmorProfile": "", "selinuxLabel": ""})


def contexts(document: Spec) -> list[Step]:
    return [step for step in steps(build(document)) if step[2:3] == ("context",)]


def test_label_of_mounts(document: Spec) -> None:
    """What runc labels: all that is new but proc, sysfs, mqueue and cgroups."""
    document["linux"]["mountLabel"] = MOUNT_LABEL
    document["mounts"] += [
        {"destination": "/a", "type": "tmpfs", "source": "x", "options": ["size=1k"]},
        {"destination": "/b", "source": "/etc", "options": ["bind"]},
    ]
    plan = build(document)
    fields = [s.field for s in plan.operations if s.name == "FSCONFIG" and s.args[1] == "context"]
    kinds = {f"mounts[{at}]": mount.get("type") for at, mount in enumerate(document["mounts"])}
    assert [kinds.get(field, field) for field in fields] == [
        "tmpfs",
        "devpts",
        "tmpfs",
        "tmpfs",
        "linux.maskedPaths",
    ]
    assert {step[3] for step in contexts(document)} == {MOUNT_LABEL}


def test_label_of_a_message_queue(document: Spec) -> None:
    document["linux"]["mountLabel"] = MOUNT_LABEL
    found = steps(build(document))
    at = found.index(("SETXATTR", ".", "security.selinux", MOUNT_LABEL, len(MOUNT_LABEL), 0))
    assert found[at - 1][0] == found[at + 1][0] == "FCHDIR"
    assert found[at + 1][1] == 0
    mounted = max(number for number, step in enumerate(found[:at]) if step[0] == "FSMOUNT")
    assert found[mounted][1] == found[at - 1][1]


def test_no_label_of_mounts(document: Spec) -> None:
    assert contexts(document) == []
    assert "SETXATTR" not in names(build(document))
