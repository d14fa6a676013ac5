# SPDX-License-Identifier: Apache-2.0
"""Moving network devices of the host to the container (runtime-spec, "Network Devices").

They stay there, up and with their lasting addresses: what becomes of them afterwards is for
whoever owns the network namespace, and where nobody does, for the kernel.
"""

import errno
import os

from ocirun.errors import KernelError, SpecError
from ocirun.linux.rtnetlink import Routing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ocirun.spec.model import NetDevice

    Devices = dict[str, NetDevice]


def check(devices: "Devices", *, rootless: bool) -> None:
    """Refuse what cannot be, before anything is made."""
    if rootless:
        raise SpecError(
            "linux.netDevices: network devices are not supported for rootless containers",
            "only root of the host may move them",
        )
    with Routing() as host:
        known = host.devices()
    for name in devices:
        if name not in known:
            raise SpecError(f"{_field(name)}: there is no such network device here", "see: ip link")


def move(devices: "Devices", pid: int) -> None:
    """Move all devices to the network namespace of a process, which is our own child."""
    # Not through a thread of ours that would go there: see _linux.socket_in.
    netns_fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found, own = os.fstat(netns_fd), os.stat("/proc/self/ns/net")
        if (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino):
            raise SpecError(
                "linux.netDevices: the container is in the host's network namespace",
                "devices can be moved to another one only",
            )
        with Routing() as host, Routing(netns_fd) as inside:
            # Before the first move: one that has moved does not come back.
            names = new_names(devices, inside.devices())
            for name, wanted in names.items():
                try:
                    _move(host, inside, netns_fd, name, wanted)
                except OSError as error:
                    said = (error.strerror or "").lower()
                    raise KernelError(
                        f"{_field(name)}: move it to the container: {said}"
                    ) from error
    finally:
        os.close(netns_fd)


def _move(host: Routing, inside: Routing, netns_fd: int, name: str, wanted: str) -> None:
    index = host.devices().get(name)
    if index is None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    # Before the move, which takes them away.
    addresses = [address for address in host.addresses(index) if address.is_lasting]
    host.move(index, wanted, netns_fd)
    # It may have got another index.
    index = inside.devices()[wanted]
    for address in addresses:
        inside.add_address(index, address)
    inside.set_up(index)


def new_names(devices: "Devices", there: "Iterable[str]") -> dict[str, str]:
    """Give the name that each device will have, beside those that are there already; pure.

    In place of %d comes the lowest number that is free, as the kernel names new devices.
    """
    taken, found = set(there), {}
    for name, device in devices.items():
        wanted = device.get("name") or name
        if "%d" in wanted:
            numbered = (wanted.replace("%d", str(number), 1) for number in range(len(taken) + 1))
            wanted = next(one for one in numbered if one not in taken)
        elif wanted in taken:
            raise SpecError(
                f"{_field(name)}: there is a device {wanted} in the container already",
                f"choose another {_field(name)}.name",
            )
        taken.add(wanted)
        found[name] = wanted
    return found


def _field(name: str) -> str:
    return f'linux.netDevices["{name}"]'
