# SPDX-License-Identifier: Apache-2.0
"""From argv to one command, and from any end of it to an exit code and one line of text."""

import os
import sys

from ocirun.cli.call import Call, write
from ocirun.cli.commands import COMMANDS, GLOBAL, HELP, VERSION, argument_limits
from ocirun.cli.flags import Options, parse
from ocirun.cli.log import Journal
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

FAILURE = 1
# An exec that failed must not look like the exit code of the process in the container.
EXEC_FAILURE = 255


def run() -> "NoReturn":
    """Run the command line of this process, and end the process."""
    occupy_standard_fds()
    journal = Journal()
    code = main(sys.argv[1:], journal)
    # Nothing is buffered, and the interpreter's own end takes longer than some commands.
    os._exit(code)


def main(words: list[str], journal: Journal) -> int:
    """Run a command line; whatever happens, the result is an exit code."""
    failure = FAILURE
    options = Options(GLOBAL)
    wishes = Options((HELP, VERSION))
    try:
        try:
            name, call = _parse(words, options, wishes, journal)
        finally:
            # Even a wrong command line is told to the log that it names.
            _set_up(journal, options)
        if call is None:
            return _inform(name, wishes)
        _check_arguments(name, call)
        if name == "exec":
            failure = EXEC_FAILURE
        return _invoke(name, call)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  no traceback for users
        from ocirun.cli.failure import report

        report(error, journal)
        return failure


def occupy_standard_fds() -> None:
    """Open /dev/null in place of each closed fd of 0, 1 and 2.

    Otherwise the next file or socket opened would get the number, and be taken for
    standard output, or be inherited by a container.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            # The lowest free number is fd, for those below it are open.
            os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)  # noqa: FBT003


def _parse(
    words: list[str], options: Options, wishes: Options, journal: Journal
) -> tuple[str, "Call | None"]:
    """Name and call of the command; no call means that help or the version is wanted."""
    rest = parse(words, (options, wishes), 1)
    if wishes.switch("help") or wishes.switch("version") or not rest:
        return (rest[0] if rest else ""), None
    name = rest[0]
    if name in {"help", "h"}:
        return (rest[1] if len(rest) > 1 else ""), None
    if name not in COMMANDS:
        raise _unknown(name)
    _, usage, flags = COMMANDS[name]
    own = Options((*flags, HELP))
    _, most = argument_limits(usage)
    arguments = parse(rest[1:], (own, options), 1 if most > 1 else 0)
    return name, None if own.switch("help") else Call(arguments, own, options, journal)


def _set_up(journal: Journal, options: Options) -> None:
    """Obey the flags that say what is logged, and where."""
    level = options.text("log-level") or "warning"
    journal.debugging = options.switch("debug") or level == "debug"
    journal.warnings = level != "error"
    style = options.text("log-format") or "text"
    journal.json = style == "json"
    if options.text("log"):
        journal.open(options.text("log"))
    if style not in {"text", "json"}:
        raise UsageError(f"invalid log-format: {style}", "use text or json")
    if level not in {"error", "warning", "debug"}:
        raise UsageError(f"invalid log-level: {level}", "use error, warning or debug")
    if options.given("criu"):
        journal.warning("--criu is ignored; criu is taken from $PATH")


def _inform(topic: str, wishes: Options) -> int:
    """Print the version, or help on a command, or help on them all."""
    from ocirun.cli import help as manual, version

    if wishes.switch("version"):
        write(version.text())
    elif topic and topic not in COMMANDS:
        raise _unknown(topic)
    else:
        write(manual.text(topic))
    return 0


def _unknown(name: str) -> UsageError:
    # The capital is runc's: its test suite looks for this text.
    return UsageError(f"No help topic for '{name}'", "see ocirun --help")


def _check_arguments(name: str, call: Call) -> None:
    least, most = argument_limits(COMMANDS[name][1])
    count = len(call.arguments)
    if least <= count <= most:
        return
    if least == most:
        bound = f"exactly {least}"
    else:
        bound = f"a minimum of {least}" if count < least else f"a maximum of {most}"
    raise UsageError(f'"ocirun {name}" requires {bound} argument(s)', f"see ocirun {name} --help")


def _invoke(name: str, call: Call) -> int:
    """Import the module of the command, and only it, and run it."""
    module = __import__(f"ocirun.cli.{name}", None, None, ("invoke",))
    call.journal.debug(f"command: {name} {' '.join(call.arguments)}")
    code: int = module.invoke(call)
    return code
