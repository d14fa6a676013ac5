# SPDX-License-Identifier: Apache-2.0
"""What the caller of create and run asks for."""

import os

from ocirun.engine.wire import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.trace import Trace


class Request:
    """What to create, and how; the flags of `ocirun create` and `ocirun run`."""

    __slots__ = (
        "bundle",
        "cgroup_manager",
        "config",
        "console_socket",
        "debug",
        "fail_at",
        "id",
        "listen_fds",
        "no_new_keyring",
        "no_pivot",
        "pid_file",
        "pidfd_socket",
        "preserve_fds",
        "resctrl",
        "root",
        "rootless",
        "trace",
        "warn",
    )

    def __init__(self, root: str, container_id: str, bundle: str = ".") -> None:
        self.root = root
        self.id = container_id
        self.bundle = bundle
        #: a file to read instead of the bundle's config.json
        self.config = ""
        self.console_socket = ""
        self.pidfd_socket = ""
        self.pid_file = ""
        self.no_pivot = False
        self.no_new_keyring = False
        #: how many descriptors from 3 on the program inherits
        self.preserve_fds = 0
        #: how many of them, the first ones, are sockets of sd_listen_fds(3)
        self.listen_fds = 0
        #: who makes the cgroups: cgroupfs (we do), systemd, or disabled (nobody)
        self.cgroup_manager = "cgroupfs"
        self.rootless = os.geteuid() != 0
        #: where resctrl is mounted; empty: to be looked for
        self.resctrl = ""
        #: called with each warning
        self.warn: Callable[[str], None] = lambda _: None
        #: called with what only a developer wants to know: the plan, line by line
        self.debug: Callable[[str], None] | None = None
        #: gets the time of each step
        self.trace: Trace | None = None
        #: for tests: the operation at which the stub gives up
        self.fail_at = NEVER
