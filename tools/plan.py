# SPDX-License-Identifier: Apache-2.0
"""Prints the plan for a bundle: what the container's first process would be told to do.

Nothing is made, so no right is needed.  What only the moment of the start decides is
left out: cgroups, and namespaces that are joined by path.
"""

import os
import sys

from ocirun.engine import bundle as bundles, plan as plans
from ocirun.engine.namespaces import Namespaces
from ocirun.engine.process import Program
from ocirun.engine.setting import Setting
from ocirun.engine.wire import Entry, Operation
from ocirun.linux.cgroup import layout

MOST = 60


def operations(directory: str) -> list[Operation]:
    """Build the plan for the bundle, as the caller would run it."""
    directory = os.path.abspath(directory)
    spec, _ = bundles.read_config(directory)
    namespaces = Namespaces(spec["linux"]["namespaces"])
    setting = Setting(spec, directory, namespaces, layout.read())
    setting.id = "example"
    setting.rootfs = bundles.find_rootfs(spec, directory)
    setting.privileged = os.geteuid() == 0
    setting.in_userns = namespaces.private("user")
    setting.may_setgroups = setting.privileged
    program = Program(spec["process"])
    return plans.build(setting, plans.Fds(), program, None, ("", "", "")).operations


def line(operation: Operation) -> str:
    """Give an operation as one line: name, arguments, and the field that asked for it."""
    words = " ".join(_word(argument) for argument in operation.args)
    text = f"{operation.name.lower():15}{words}"
    return f"{text:<{MOST}}  # {operation.field}" if operation.field else text.rstrip()


def _word(argument: object) -> str:
    match argument:
        case None:
            return "-"
        case int():
            return str(argument) if -1 <= argument < 4096 else hex(argument)
        case bytes():
            return f"<{len(argument)} bytes>"
        case tuple():
            return f"<{len(argument)} strings>"
        case Entry():
            return f"<string {argument.index} of {len(argument.table)}>"
        case _:
            return repr(argument)


def main() -> None:
    """Print the plan for each bundle named."""
    for directory in sys.argv[1:] or ["."]:
        for operation in operations(directory):
            print(line(operation))


if __name__ == "__main__":
    main()
