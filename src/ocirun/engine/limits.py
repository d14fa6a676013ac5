# SPDX-License-Identifier: Apache-2.0
"""The limits of `linux.resources` that both cgroup versions take in the same files; pure.

A setting is (controller, file, value, field, presence), as linux/cgroup/settings.py applies it.
"""

from ocirun.linux.cgroup.settings import OPTIONAL, REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.settings import Setting
    from ocirun.spec.model import Cpu, Pids, Resources


class Limits:
    """A growing list of settings; `field` is relative to `linux.resources`."""

    __slots__ = ("settings",)

    def __init__(self) -> None:
        self.settings: list[Setting] = []

    def add(self, file: str, value: int | str, field: str, presence: int = REQUIRED) -> None:
        """Append a setting; the controller is what comes before the dot."""
        controller = file.partition(".")[0]
        self.settings.append((controller, file, str(value), f"linux.resources.{field}", presence))

    def add_pids(self, pids: "Pids") -> None:
        """Append the number of processes."""
        limit = pids.get("limit")
        if limit is not None:
            # A limit of 0 still lets in who is moved there, and no fork; 1 is the same, and what
            # systemd takes.
            self.add("pids.max", "max" if limit < 0 else max(limit, 1), "pids.limit")

    def add_cpuset(self, cpu: "Cpu") -> None:
        """Append the CPUs and the memory nodes."""
        if cpus := cpu.get("cpus"):
            self.add("cpuset.cpus", cpus, "cpu.cpus")
        if mems := cpu.get("mems"):
            self.add("cpuset.mems", mems, "cpu.mems")

    def add_huge_pages(self, resources: "Resources", ending: str) -> None:
        """Append the huge pages, both those in use and those only reserved."""
        for index, limit in enumerate(resources.get("hugepageLimits", [])):
            field = f"hugepageLimits[{index}]"
            size = limit["pageSize"]
            # kernel < 5.7: reservations are not counted.
            self.add(f"hugetlb.{size}.rsvd.{ending}", limit["limit"], field, OPTIONAL)
            self.add(f"hugetlb.{size}.{ending}", limit["limit"], field)

    def add_rdma(self, resources: "Resources") -> None:
        """Append the handles and objects of each RDMA device."""
        for device, rdma in resources.get("rdma", {}).items():
            value = device
            if "hcaHandles" in rdma:
                value += f" hca_handle={rdma['hcaHandles']}"
            if "hcaObjects" in rdma:
                value += f" hca_object={rdma['hcaObjects']}"
            self.add("rdma.max", value, f'rdma["{device}"]')
