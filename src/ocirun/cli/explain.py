# SPDX-License-Identifier: Apache-2.0
"""`ocirun explain`: what `run` would do with a bundle, step by step, and what would stop it."""

import os

from ocirun.cli.call import require_directory, write
from ocirun.cli.colour import BLUE, DIM, PLAIN, RED, YELLOW, paint, width, wrap
from ocirun.engine import explain as explanations
from ocirun.errors import UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocirun.cli.call import Call
    from ocirun.engine.explain import Explanation, Step

#: the id that stands in names, such as that of the cgroup
EXAMPLE = "NAME"
#: a terminal with fewer columns gets the field below the words instead of beside them
WIDE = 120
MOST = 160
FIELD = 36
LEAD = 5


def invoke(call: "Call") -> int:
    """Print the steps; the exit code is 1 if this host cannot do one of them."""
    style = call.options.text("format", "table")
    if style not in {"table", "json"}:
        raise UsageError("invalid format option", "use table or json")
    if call.options.given("trace"):
        return _draw(call.options.text("trace"), svg=call.options.switch("svg"))
    bundle = call.arguments[0] if call.arguments else "."
    require_directory(bundle)
    found = explanations.explain(os.path.realpath(bundle), EXAMPLE)
    if style == "json":
        document = {
            "problems": [problem.document() for problem in found.problems],
            "steps": [step.document() for step in found.steps],
            "warnings": found.warnings,
        }
        write(encode.dumps(document) + "\n")
    else:
        write("\n".join(_page(found, everything=call.options.switch("all"))) + "\n")
    return 1 if found.problems else 0


def _draw(path: str, *, svg: bool) -> int:
    from ocirun.cli import waterfall
    from ocirun.engine import trace

    entries = trace.read(path)
    write(waterfall.svg(entries, path) if svg else "\n".join(waterfall.text(entries)) + "\n")
    return 0


def _page(found: "Explanation", *, everything: bool) -> "Iterator[str]":
    who = ""
    for number, step in enumerate(found.steps, 1):
        if step.name in explanations.HOUSEKEEPING and not everything:
            continue
        if step.who != who:
            who = step.who
            yield paint(who, PLAIN)
        yield from _lines(number, step)
    for warning in found.warnings:
        yield from _remark("warning", YELLOW, warning, "")
    for problem in found.problems:
        yield from _remark("cannot", RED, f"{problem.item}: {problem.seen}", problem.remedy)


def _lines(number: int, step: "Step") -> "Iterator[str]":
    columns = min(width(), MOST)
    wide = columns >= WIDE
    room = columns - LEAD - 1 - (FIELD if wide else 0)
    first, *more = wrap(step.what, room=room)
    field = paint(step.field, BLUE)
    if wide and step.field:
        yield f"{number:{LEAD - 1}}  {first:{room}}{field}"
    else:
        yield f"{number:{LEAD - 1}}  {first}"
    yield from (f"{'':{LEAD + 1}}{line}" for line in more)
    if step.field and not wide:
        yield f"{'':{LEAD + 1}}{paint('for ', DIM)}{field}"


def _remark(sign: str, colour: str, text: str, remedy: str) -> "Iterator[str]":
    lead = len(sign) + 2
    first, *more = wrap(text, room=min(width(), MOST) - lead)
    yield f"{paint(sign, colour)}  {first}"
    yield from (f"{'':{lead}}{line}" for line in more)
    if remedy:
        yield f"{'':{lead}}> {remedy}"
