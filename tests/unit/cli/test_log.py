# SPDX-License-Identifier: Apache-2.0
"""The journal: to a file and to standard error, one line for each message."""

import json
import os
import re
from pathlib import Path

import pytest

from ocirun.cli.log import Journal
from ocirun.errors import UsageError

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"


def test_without_a_file_all_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.debug("unseen")
    journal.warning("odd")
    journal.error("bad\nbecause\n")
    assert capfd.readouterr() == ("", "ocirun: warning: odd\nocirun: error: bad; because\n")


def test_a_terminal_gets_no_control_characters(capfd: pytest.CaptureFixture[str]) -> None:
    Journal().error("hook said: \x1b[2J\t\udcff ü")
    assert capfd.readouterr().err == "ocirun: error: hook said: \\x1b[2J\\t\\udcff ü\n"


def test_debug_lines_are_records_even_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    journal = Journal()
    journal.debugging = True
    journal.debug("step")
    out, err = capfd.readouterr()
    assert out == ""
    place = r'func="test_\w+\(\)" file="cli/test_log.py:\d+"'
    assert re.fullmatch(rf'time="{TIME}" level=debug msg=step {place}\n', err)


def test_text_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("kept\n")
    journal = Journal()
    journal.open(str(path))
    journal.warning("odd")
    journal.error('no "x"\nhere')
    kept, warning, error = path.read_text().splitlines()
    assert kept == "kept"
    assert re.fullmatch(rf'time="{TIME}" level=warning msg=odd', warning)
    assert re.fullmatch(rf'time="{TIME}" level=error msg="no \\"x\\"; here"', error)
    assert capfd.readouterr() == ("", 'ocirun: error: no "x"; here\n')


def test_json_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    journal = Journal()
    journal.json = True
    journal.open(str(path))
    journal.error("Ünicode \udcff \x01 \u2028 end")
    (line,) = path.read_bytes().decode("utf-8").split("\n")[:-1]
    assert list(json.loads(line)) == ["level", "msg", "time"]
    assert json.loads(line)["level"] == "error"
    assert json.loads(line)["msg"] == "Ünicode \udcff \x01; end"
    assert re.fullmatch(TIME, json.loads(line)["time"])


def test_the_file_is_made_at_once_for_appending_and_not_inherited(tmp_path: Path) -> None:
    path = tmp_path / "log"
    old = os.umask(0o022)
    try:
        Journal().open(str(path))
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o7777 == 0o644
    (fd,) = [
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
        and os.path.realpath(f"/proc/self/fd/{name}") == str(path)
    ]
    fdinfo = Path(f"/proc/self/fdinfo/{fd}").read_text()
    flags = int(re.findall(r"flags:\s+(\d+)", fdinfo)[0], 8)
    os.close(fd)
    assert flags & os.O_APPEND
    assert flags & os.O_SYNC == os.O_SYNC
    assert flags & os.O_CLOEXEC


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Journal().open(str(tmp_path / "none" / "log"))
    assert caught.value.message == (
        f"open the log file: {tmp_path}/none/log: no such file or directory"
    )
