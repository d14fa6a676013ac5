# SPDX-License-Identifier: Apache-2.0
"""The manual pages, ocirun(8) and ocirun-COMMAND(8), from the table of commands.

Used when ocirun is built (setup.py), never by a command.  roff: man(7), groff_man(7).
"""

from ocirun.cli.commands import COMMANDS, GLOBAL, HELP, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.flags import Flags

SECTION = 8

PROGRAM = """\
ocirun makes containers as the Open Container Initiative describes them, and takes runc's place for
a person at a terminal and for the engines that call it. A container is made from a bundle: a
directory with a config.json and a root filesystem. "ocirun spec" writes a config.json to start
from, "ocirun run NAME" makes a container of it.

Flags may be written with one dash or two. Those of the program may also stand after the name of
the command. The first argument ends them for create, exec, kill, ps and run."""

#: what the summary of a command leaves out
MORE = {
    "checkpoint": "The processes are saved by criu(8), and end unless --leave-running is given."
    " The settings of /etc/criu/ocirun.conf, else of /etc/criu/runc.conf, win over the flags; the"
    " annotation org.criu.config of config.json names another file, or none.",
    "completion": "SHELL is bash, fish or zsh. The first line of the script says where to put it.",
    "create": "The program waits for ocirun-start(8). A terminal (process.terminal) needs"
    " --console-socket. When this fails, all that was made is taken back.",
    "delete": "With --force a container that runs is killed first, and what an interrupted command"
    " left is removed.",
    "doctor": "Each line is ok, -- (something cannot be had) or no (containers need it). The exit"
    " code is 1 if there is a no.",
    "events": "Each line is a JSON object with type, id and data. It ends with the container.",
    "exec": "Without --process the process is that of the container's config.json, changed by the"
    " other flags. The exit code is that of the process, or 255 if it could not be run.",
    "explain": "Nothing is made, and no right is needed. Each step names the field of config.json"
    " that asked for it. The exit code is 1 if this host cannot do one of them.",
    "features": "The document is the Features structure of the runtime-spec.",
    "kill": "SIGNAL is a number, or a name with or without SIG.",
    "list": "A container whose state is damaged is named in a warning.",
    "ps": "The options are those of ps(1), by default -ef. With --format json only pids are"
    " printed.",
    "restore": "The images are those that ocirun-checkpoint(8) made.",
    "run": "The exit code is that of the program, or 128 and the number of the signal that ended"
    " it. Signals are passed on to it.",
    "spec": "An existing config.json is not overwritten.",
    "state": "The document is the State of the runtime-spec, with what runc adds to it.",
    "top": "It needs the Python package rich for its view on a terminal. The key q ends it.",
    "update": "Limits that are not named stay as they are.",
}


def pages() -> dict[str, str]:
    """Give the text of each page by the name of its file."""
    found = {f"ocirun.{SECTION}": program()}
    found.update({f"ocirun-{name}.{SECTION}": command(name) for name in COMMANDS})
    return found


def program() -> str:
    """Give the page of the program."""
    parts = [
        _head("ocirun", "run containers as the Open Container Initiative describes them"),
        ".SH SYNOPSIS\n.B ocirun\n[OPTIONS] COMMAND [OPTIONS] [ARGUMENTS]\n",
        _section("DESCRIPTION", PROGRAM),
        ".SH COMMANDS\n",
        *(
            f".TP\n.BR ocirun\\-{_escape(name)} ({SECTION})\n{_escape(row[0])}\n"
            for name, row in sorted(COMMANDS.items())
        ),
        ".SH OPTIONS\n" + _flags((*GLOBAL, HELP, VERSION)),
        _section(
            "FILES", "/run/ocirun, or $XDG_RUNTIME_DIR/ocirun for a user: the state of containers."
        ),
        _section("SEE ALSO", "runc(8), namespaces(7), cgroups(7)"),
    ]
    return "".join(parts)


def command(name: str) -> str:
    """Give the page of a command."""
    summary, usage, flags = COMMANDS[name]
    title = f"ocirun-{name}"
    text = f"{summary[:1].upper()}{summary[1:]}."
    if more := MORE.get(name):
        text = f"{text}\n\n{more}"
    parts = [
        _head(title, summary),
        f".SH SYNOPSIS\n.B ocirun {_escape(name)}\n[OPTIONS] {_escape(usage)}\n",
        _section("DESCRIPTION", text),
        ".SH OPTIONS\n" + _flags((*flags, HELP)),
        f".PP\nThose of the program, see ocirun({SECTION}), may be given too.\n",
        _section("SEE ALSO", f"ocirun({SECTION})"),
    ]
    return "".join(parts)


def _head(title: str, summary: str) -> str:
    return (
        f'.TH "{title.upper()}" "{SECTION}" "" "ocirun" "System Manager\'s Manual"\n'
        f".SH NAME\n{_escape(title)} \\- {_escape(summary)}\n"
    )


def _section(title: str, text: str) -> str:
    paragraphs = (_escape(part.replace("\n", " ")) for part in text.split("\n\n"))
    return f".SH {title}\n" + "\n.PP\n".join(paragraphs) + "\n"


def _flags(flags: "Flags") -> str:
    found = []
    for names, _, word, text in flags:
        if not text:
            continue
        spelt = [f"-{name}" if len(name) == 1 else f"--{name}" for name in names]
        value = f" \\fI{_escape(word)}\\fR" if word else ""
        typed = ", ".join(f"\\fB{_escape(name)}\\fR" for name in reversed(spelt))
        found.append(f".TP\n{typed}{value}\n{_escape(text[:1].upper() + text[1:])}.\n")
    return "".join(found)


def _escape(text: str) -> str:
    """Keep roff from reading a text as its own (groff(7), "Escapes")."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text
