# SPDX-License-Identifier: Apache-2.0
"""The one line for an error."""

import errno

import pytest

from ocirun.cli.failure import describe, report
from ocirun.cli.log import Journal
from ocirun.errors import KernelError, StateError


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_our_own_errors_speak_for_themselves() -> None:
    assert describe(StateError("container does not exist: x")) == "container does not exist: x"
    assert describe(KernelError("mount: /x: denied", "be root")) == "mount: /x: denied (be root)"


def test_errors_of_the_kernel_are_in_lower_case() -> None:
    missing = OSError(errno.ENOENT, "No such file or directory", "/x")
    assert describe(missing) == "/x: no such file or directory"
    assert describe(OSError(errno.EIO, "I/O error")) == "i/O error"
    two = OSError(errno.EXDEV, "Invalid cross-device link", b"/a", None, b"/b")
    assert describe(two) == "/a: /b: invalid cross-device link"


def test_an_unexpected_error_names_its_place() -> None:
    text = describe(raised(TypeError("odd")))
    assert text.startswith("internal error: TypeError: odd (")
    assert "test_failure.py:" in text


def test_the_traceback_is_for_the_debug_log_only(capfd: pytest.CaptureFixture[str]) -> None:
    report(raised(TypeError("odd")), Journal())
    assert capfd.readouterr().err.count("\n") == 1
    journal = Journal()
    journal.debugging = True
    report(raised(TypeError("odd")), journal)
    lines = capfd.readouterr().err.splitlines()
    assert "Traceback" in lines[0]
    assert all("level=debug" in line for line in lines[:-1])
    assert lines[-1].startswith("ocirun: error: internal error: TypeError: odd")
