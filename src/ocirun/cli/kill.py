# SPDX-License-Identifier: Apache-2.0
"""`ocirun kill`: send a signal to the first process of a container (signal(7))."""

# The plain C module: `signal` would import `enum`, which takes longer than the rest.
import _signal

from ocirun.engine.kill import kill
from ocirun.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call

LAST_SIGNAL = 64


def invoke(call: "Call") -> int:
    """Send the signal."""
    word = call.arguments[1] if len(call.arguments) > 1 else ""
    signal = signal_number(word or "TERM")
    if call.options.switch("regex"):
        from ocirun.cli import several

        return several.each(call, lambda name: _kill(call, name, signal))
    _kill(call, call.id, signal)
    return 0


def _kill(call: "Call", name: str, signal: int) -> None:
    kill(call.root(), name, signal, all_=call.options.switch("all"))


def signal_number(word: str) -> int:
    """Convert 9, KILL, SIGKILL or RTMIN+3, in any case, to a number."""
    if word.isascii() and word.isdigit():
        number = int(word)
    else:
        name, plus, offset = word.upper().removeprefix("SIG").partition("+")
        number = _by_name(name)
        if plus:
            number = number + int(offset) if name == "RTMIN" and offset.isdigit() else -1
    if not 0 <= number <= LAST_SIGNAL:
        raise UsageError(f'unknown signal "{word}"', "kill -l lists them")
    return number


def _by_name(name: str) -> int:
    # The module also has SIG_IGN, SIG_BLOCK and the like.
    number: int = getattr(_signal, f"SIG{name}", -1) if name.isalnum() else -1
    return number
