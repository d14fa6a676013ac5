# SPDX-License-Identifier: Apache-2.0
"""The flag parser, by values."""

import pytest
from hypothesis import given, strategies as st

from ocirun.cli.commands import COMMANDS, GLOBAL, HELP
from ocirun.cli.flags import Options, boolean, integer, parse
from ocirun.errors import UsageError

TABLE = (
    (("bundle", "b"), "text", "DIR", "help"),
    (("tty", "t"), "bool", "", "help"),
    (("preserve-fds",), "int", "N", "help"),
    (("env", "e"), "texts", "NAME=VALUE", "help"),
    (("additional-gids", "g"), "ints", "GID", "help"),
    (("interval",), "duration", "TIME", "help"),
)


def parsed(*words: str, stop: int = 0) -> tuple[Options, list[str]]:
    options = Options(TABLE)
    return options, parse(list(words), (options,), stop)


def message(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        parsed(*words)
    return caught.value.message


@pytest.mark.parametrize(
    "words",
    [
        ("-b", "X"),
        ("-b=X",),
        ("-bundle", "X"),
        ("-bundle=X",),
        ("--b", "X"),
        ("--b=X",),
        ("--bundle", "X"),
        ("--bundle=X",),
    ],
)
def test_all_spellings_of_a_text_flag_are_one(words: tuple[str, ...]) -> None:
    options, arguments = parsed(*words, "ID")
    assert options.text("bundle") == "X"
    assert options.given("bundle")
    assert arguments == ["ID"]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("-t", True),
        ("--tty", True),
        ("-t=true", True),
        ("--tty=1", True),
        ("--tty=T", True),
        ("--tty=", True),
        ("--tty=false", False),
        ("-t=0", False),
        ("-tty=F", False),
    ],
)
def test_a_bool_takes_a_value_only_after_an_equals_sign(word: str, *, value: bool) -> None:
    options, arguments = parsed(word, "false")
    assert options.switch("tty") is value
    assert arguments == ["false"]


def test_the_last_value_wins_but_a_list_keeps_all() -> None:
    options, _ = parsed("-b", "1", "-b", "2", "-e", "A=1,B=2", "--env=C", "-t", "-t=false")
    assert options.text("bundle") == "2"
    assert options.texts("env") == ["A=1,B=2", "C"]
    assert not options.switch("tty")


def test_defaults() -> None:
    options, arguments = parsed()
    assert arguments == []
    assert options.text("bundle") == ""
    assert options.text("bundle", "x") == "x"
    assert options.number("preserve-fds", 7) == 7
    assert options.texts("env") == []
    assert options.numbers("additional-gids") == []
    assert not options.switch("tty")
    assert not options.given("tty")


def test_values_may_be_empty_or_look_like_flags() -> None:
    options, arguments = parsed("--bundle=", "-e", "-t", "--env", "--", "ID")
    assert options.given("bundle")
    assert options.text("bundle") == ""
    assert options.texts("env") == ["-t", "--"]
    assert arguments == ["ID"]


def test_flags_may_follow_the_argument_unless_told_to_stop() -> None:
    options, arguments = parsed("ID", "-t")
    assert options.switch("tty")
    assert arguments == ["ID"]
    options, arguments = parsed("-t", "ID", "sh", "-t=false", "--", "-c", "x", stop=1)
    assert options.switch("tty")
    assert arguments == ["ID", "sh", "-t=false", "--", "-c", "x"]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (["--", "-t"], ["-t"]),
        (["ID", "--", "ls", "-l"], ["ID", "ls", "-l"]),
        (["-", "ID"], ["-", "ID"]),
        (["-9", "-t"], ["-9", "-t"]),
        (["", "x"], ["", "x"]),
    ],
)
def test_what_is_no_flag(words: list[str], arguments: list[str]) -> None:
    assert parsed(*words, stop=1)[1] == arguments
    assert not parsed(*words, stop=1)[0].given("tty")


def test_an_outer_table_is_asked_after_the_inner_one() -> None:
    inner = Options(((("rootless",), "bool", "", ""),))
    outer = Options(((("rootless",), "text", "", ""), (("root",), "text", "", "")))
    assert parse(["--rootless", "--root", "X"], (inner, outer), 0) == []
    assert inner.switch("rootless")
    assert not outer.given("rootless")
    assert outer.text("root") == "X"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--bundle"], "flag needs an argument: --bundle"),
        (["ID", "-b"], "flag needs an argument: -b"),
        (["--foo", "x"], "flag provided but not defined: -foo"),
        (["-it"], "flag provided but not defined: -it"),
        (["--foo=x"], "flag provided but not defined: -foo"),
        (["---tty"], "flag provided but not defined: --tty"),
        (["--=x"], "flag provided but not defined: -"),
        (["--tty=yes"], 'invalid value "yes" for flag -tty: parse error'),
        (["--preserve-fds=x"], 'invalid value "x" for flag -preserve-fds: parse error'),
        (["--preserve-fds", ""], 'invalid value "" for flag -preserve-fds: parse error'),
        (["-g", "1,2"], 'invalid value "1,2" for flag -g: parse error'),
        (
            ["--preserve-fds", "9223372036854775808"],
            'invalid value "9223372036854775808" for flag -preserve-fds: value out of range',
        ),
        (
            ["--interval", "5"],
            'invalid value "5" for flag -interval: time: missing unit in duration "5"',
        ),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_go(words: list[str], text: str) -> None:
    assert message(*words) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("12", 12),
        ("+3", 3),
        ("-3", -3),
        ("0x1F", 31),
        ("0b11", 3),
        ("0o17", 15),
        ("017", 15),
        ("-017", -15),
        ("1_000", 1000),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
    ],
)
def test_integer(text: str, value: int) -> None:
    assert integer(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1\n", "08", "x", "0x", "1e3", "1.0", "--1", "+-1", "_1", "\u0661", "²"],
)
def test_integer_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the flag parser has its own text
        integer(text)


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " 1", "2"])
def test_boolean_refuses(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the flag parser has its own text
        boolean(text)


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_integer_reads_what_str_writes(number: int) -> None:
    assert integer(str(number)) == number


@given(st.lists(st.text(max_size=6), max_size=6), st.sampled_from(sorted(COMMANDS)))
def test_no_command_line_crashes_the_parser(words: list[str], name: str) -> None:
    options = Options((*COMMANDS[name][2], HELP))
    try:
        arguments = parse(words, (options, Options(GLOBAL)), 1)
    except UsageError:
        return
    assert all(argument in words for argument in arguments)
