# SPDX-License-Identifier: Apache-2.0
"""Lines of the log, as logrus would write them."""

import json
import sys
import time
from collections.abc import Iterator

import pytest

from ocirun.cli.record import json_record, place_of, text_record


@pytest.fixture(params=["UTC0", "XXX-5:30", "YYY+3"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield {"UTC0": "Z", "XXX-5:30": "+05:30", "YYY+3": "-03:00"}[request.param]
    monkeypatch.undo()
    time.tzset()


def test_the_time_has_the_local_offset(zone: str) -> None:
    stamp = json.loads(json_record("error", "x"))["time"]
    assert stamp.endswith(zone)
    assert stamp[: len("2000-01-01T")] == time.strftime("%Y-%m-%dT")


def test_a_bare_word_is_not_quoted() -> None:
    assert text_record("error", "a-b.c_d/e@f^g+H9").endswith(" level=error msg=a-b.c_d/e@f^g+H9\n")
    assert text_record("error", "a b").endswith(' msg="a b"\n')


def test_json_is_one_line() -> None:
    line = json_record("debug", 'tab\t "quote" \\ \x7f')
    assert line.count("\n") == 1
    assert json.loads(line)["msg"] == 'tab\t "quote" \\ \x7f'


def test_the_place_in_the_code() -> None:
    place = place_of(sys._getframe())
    assert place[0].startswith("cli/test_record.py:")
    assert place[1] == "test_the_place_in_the_code()"
    assert list(json.loads(json_record("debug", "x", place))) == [
        "file",
        "func",
        "level",
        "msg",
        "time",
    ]
    assert text_record("debug", "x", place).endswith(
        f' level=debug msg=x func="{place[1]}" file="{place[0]}"\n'
    )
