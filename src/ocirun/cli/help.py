# SPDX-License-Identifier: Apache-2.0
"""The texts of --help, made from the table of commands."""

from ocirun.cli.commands import COMMANDS, GLOBAL, HELP, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.flags import Flag, Flags

ABOUT = """\
ocirun runs containers as the Open Container Initiative describes them. A container is
made from a bundle: a directory with a config.json and a root filesystem.

   ocirun spec             write a config.json into the current directory
   ocirun run NAME         make a container of it, and start it
"""


def text(topic: str) -> str:
    """Help on a command, or for "" on the program."""
    return _on_command(topic) if topic else _on_program()


def _on_program() -> str:
    commands = [(name, COMMANDS[name][0]) for name in sorted(COMMANDS)]
    return "\n".join(
        [
            "NAME:",
            "   ocirun - Open Container Initiative runtime",
            "",
            "USAGE:",
            "   ocirun [OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]",
            "",
            ABOUT,
            "COMMANDS:",
            *_columns([*commands, ("help", "show help on a command")]),
            "",
            "GLOBAL OPTIONS:",
            *_columns(_rows((*GLOBAL, HELP, VERSION))),
            "",
        ]
    )


def _on_command(name: str) -> str:
    summary, usage, flags = COMMANDS[name]
    return "\n".join(
        [
            "NAME:",
            f"   ocirun {name} - {summary}",
            "",
            "USAGE:",
            f"   ocirun {name} [OPTIONS] {usage}".rstrip(),
            "",
            "OPTIONS:",
            *_columns(_rows((*flags, HELP))),
            "",
            "GLOBAL OPTIONS:",
            *_columns(_rows(GLOBAL)),
            "",
        ]
    )


def _rows(flags: "Flags") -> list[tuple[str, str]]:
    return [(_spelling(flag), flag[3]) for flag in flags if flag[3]]


def _spelling(flag: "Flag") -> str:
    names, _, word, _ = flag
    spellings = [f"-{name}" if len(name) == 1 else f"--{name}" for name in names]
    return ", ".join(reversed(spellings)) + (f" {word}" if word else "")


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"   {left:{width}}  {right}" for left, right in rows]
