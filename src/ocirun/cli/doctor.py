# SPDX-License-Identifier: Apache-2.0
"""`ocirun doctor`: what this host can do for containers, why not, and what to type."""

import os

from ocirun.cli.call import write
from ocirun.cli.colour import GREEN, PLAIN, RED, YELLOW, paint, width, wrap
from ocirun.engine import doctor
from ocirun.engine.findings import BAD, GOOD, POOR, Host
from ocirun.errors import UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.cli.call import Call
    from ocirun.engine.findings import Finding

SIGNS = {GOOD: ("ok", GREEN), POOR: ("--", YELLOW), BAD: ("no", RED)}
ITEM = 26


def invoke(call: "Call") -> int:
    """Print all findings; the exit code is 1 if something is missing that containers need."""
    style = call.options.text("format", "table")
    if style not in {"table", "json"}:
        raise UsageError("invalid format option", "use table or json")
    findings = list(doctor.examine(Host(user=_user())))
    if style == "json":
        write(encode.dumps([finding.document() for finding in findings]) + "\n")
    else:
        write(page(findings))
    return 1 if any(finding.state == BAD for finding in findings) else 0


def _user() -> str:
    from ocirun.cli.list import user_name

    return user_name(os.geteuid()).removeprefix("#")


def page(findings: "Iterable[Finding]") -> str:
    """Lay the findings out for a person."""
    lines: list[str] = []
    group = ""
    for finding in findings:
        if finding.group != group:
            lines += ["", paint(finding.group, PLAIN)] if lines else [paint(finding.group, PLAIN)]
            group = finding.group
        sign, colour = SIGNS[finding.state]
        lead = f"  {sign}  {finding.item:{ITEM}}"
        first, *more = wrap(finding.seen, room=width() - len(lead))
        lines.append(f"  {paint(sign, colour)}  {finding.item:{ITEM}}{first}")
        lines += [" " * len(lead) + line for line in more]
        for at, line in enumerate(wrap(finding.remedy, room=width() - len(lead) - 2)):
            lines.append(f"{'':{len(lead)}}{' ' if at else '>'} {line}")
    return "\n".join(lines) + "\n"
