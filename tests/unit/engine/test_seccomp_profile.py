# SPDX-License-Identifier: Apache-2.0
"""A wrong section is refused before libseccomp is asked, and the message names the field."""

import pytest

from ocirun.engine import seccomp_profile
from ocirun.errors import KernelError, SpecError
from ocirun.spec.model import Seccomp, SeccompArg


def refusal(section: Seccomp) -> str:
    with pytest.raises(SpecError) as caught:
        seccomp_profile.compile_section(section)
    return caught.value.message


def with_argument(argument: SeccompArg) -> Seccomp:
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [argument]},
        ],
    }


def test_every_word_of_the_specification_is_known() -> None:
    assert len(seccomp_profile.actions()) == 9
    assert len(seccomp_profile.operators()) == 7
    assert len(seccomp_profile.flags()) == 4
    assert seccomp_profile.architectures() == sorted(set(seccomp_profile.architectures()))


def test_a_default_action_is_needed() -> None:
    section: Seccomp = {"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
    assert refusal(section) == "linux.seccomp.defaultAction: '' is not a seccomp action"


def test_an_unknown_default_action() -> None:
    assert "defaultAction: 'SCMP_ACT_NO'" in refusal({"defaultAction": "SCMP_ACT_NO"})


def test_notify_cannot_be_the_default() -> None:
    assert "default action" in refusal({"defaultAction": "SCMP_ACT_NOTIFY"})


def test_notify_cannot_stop_write() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "write"], "action": "SCMP_ACT_NOTIFY"}],
    }
    assert refusal(section).startswith("linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY")


def test_an_unknown_action() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_NO"}],
    }
    assert (
        refusal(section)
        == "linux.seccomp.syscalls[0].action: 'SCMP_ACT_NO' is not a seccomp action"
    )


def test_an_empty_name() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": [""], "action": "SCMP_ACT_ERRNO"}],
    }
    assert refusal(section).startswith("linux.seccomp.syscalls[0].names")


def test_an_errno_that_the_kernel_cannot_return() -> None:
    section: Seccomp = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4095}
    assert "defaultErrnoRet: 4095: " in refusal(section)
    section = {"defaultAction": "SCMP_ACT_TRACE", "defaultErrnoRet": 65536}
    assert "ErrnoRet: 65536: " in refusal(section)


def test_an_unknown_operator() -> None:
    message = refusal(with_argument({"index": 0, "value": 0, "op": "SCMP_CMP_NO"}))
    assert message == "linux.seccomp.syscalls[1].args[0].op: 'SCMP_CMP_NO' is not an operator"


@pytest.mark.parametrize("index", [-1, 6])
def test_an_argument_that_no_system_call_has(index: int) -> None:
    message = refusal(with_argument({"index": index, "value": 0, "op": "SCMP_CMP_EQ"}))
    assert message.startswith("linux.seccomp.syscalls[1].args[0].index")


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_a_value_of_more_than_64_bits(value: int) -> None:
    argument: SeccompArg = {"index": 0, "value": value, "op": "SCMP_CMP_EQ"}
    assert ".args[0].value:" in refusal(with_argument(argument))
    argument = {"index": 0, "value": 1, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
    assert ".args[0].valueTwo:" in refusal(with_argument(argument))


def test_an_unknown_architecture() -> None:
    section: Seccomp = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86", "x86_64"],
    }
    message = refusal(section)
    assert message == "linux.seccomp.architectures[1]: 'x86_64' is not a known architecture"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    libseccomp = pytest.importorskip("ocirun.linux.libseccomp")
    monkeypatch.setattr(libseccomp, "SONAME", "libseccomp.so.none")
    with pytest.raises(KernelError) as caught:
        seccomp_profile.compile_section({"defaultAction": "SCMP_ACT_ALLOW"})
    assert caught.value.message == "linux.seccomp needs libseccomp.so.2"
    assert caught.value.hint == "install libseccomp2"
    assert seccomp_profile.available_flags() == []
