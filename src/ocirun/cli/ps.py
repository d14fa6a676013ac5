# SPDX-License-Identifier: Apache-2.0
"""`ocirun ps`: the processes of a container, as pids of the host.

The table is the one of ps(1), run with the user's options and cut down to these pids.
"""

from ocirun.cli.call import write
from ocirun.engine.processes import pids
from ocirun.errors import KernelError, UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Print the processes."""
    style = call.options.text("format", "table")
    if style not in {"table", "json"}:
        raise UsageError("invalid format option", "use table or json")
    wanted = pids(call.root(), call.id)
    if style == "json":
        write(encode.dumps(wanted) + "\n")
    else:
        write(only(wanted, _ps(call.arguments[1:] or ["-ef"])))
    return 0


def only(wanted: list[int], output: str) -> str:
    """Cut the output of ps(1) down to its title and the lines of these pids."""
    title, *lines = output.splitlines(keepends=True) or [""]
    columns = title.split()
    if "PID" not in columns:
        raise UsageError("no PID column in the output of ps", "choose other options for ps")
    at = columns.index("PID")
    names = [str(pid) for pid in wanted]
    return title + "".join(line for line in lines if _word(line, at) in names)


def _word(line: str, at: int) -> str:
    words = line.split()
    return words[at] if at < len(words) else ""


def _ps(options: list[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["ps", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise KernelError(
            "run ps: executable file not found in $PATH", "install procps, or use --format json"
        ) from None
    if done.returncode:
        raise UsageError(f"run ps: exit code {done.returncode}: {done.stdout.strip()}")
    return done.stdout
