# SPDX-License-Identifier: Apache-2.0
"""The types of the runtime-spec 1.3 documents, with the spec's own camelCase keys.

For the type checker only: import this module under TYPE_CHECKING, for `typing`
is dear.  Every key may be missing (total=False); validate.py has made sure of
those that the spec requires.  Reference: config.md, config-linux.md, runtime.md.
"""

from typing import TypedDict


class Root(TypedDict, total=False):
    """`root`: the container's root filesystem on the host."""

    path: str
    readonly: bool


class IdMapping(TypedDict, total=False):
    """One line of a uid or gid map."""

    containerID: int
    hostID: int
    size: int


class Mount(TypedDict, total=False):
    """One entry of `mounts`."""

    destination: str
    type: str
    source: str
    options: list[str]
    uidMappings: list[IdMapping]
    gidMappings: list[IdMapping]


class ConsoleSize(TypedDict, total=False):
    """`process.consoleSize`."""

    height: int
    width: int


class User(TypedDict, total=False):
    """`process.user`."""

    uid: int
    gid: int
    umask: int
    additionalGids: list[int]
    username: str


class Capabilities(TypedDict, total=False):
    """`process.capabilities`: the five sets."""

    bounding: list[str]
    effective: list[str]
    inheritable: list[str]
    permitted: list[str]
    ambient: list[str]


class Rlimit(TypedDict, total=False):
    """One entry of `process.rlimits`."""

    type: str
    soft: int
    hard: int


class Scheduler(TypedDict, total=False):
    """`process.scheduler`: the arguments of sched_setattr(2)."""

    policy: str
    nice: int
    priority: int
    flags: list[str]
    runtime: int
    deadline: int
    period: int


# `class` is a key here, so the class syntax cannot write it.
IoPriority = TypedDict("IoPriority", {"class": str, "priority": int}, total=False)


class CpuAffinity(TypedDict, total=False):
    """`process.execCPUAffinity`: CPU lists such as "0-3,7"."""

    initial: str
    final: str


class Process(TypedDict, total=False):
    """`process`, and the whole document of `exec --process`."""

    terminal: bool
    consoleSize: ConsoleSize
    user: User
    args: list[str]
    commandLine: str
    env: list[str]
    cwd: str
    capabilities: Capabilities
    rlimits: list[Rlimit]
    noNewPrivileges: bool
    apparmorProfile: str
    oomScoreAdj: int
    scheduler: Scheduler
    selinuxLabel: str
    ioPriority: IoPriority
    execCPUAffinity: CpuAffinity


class Hook(TypedDict, total=False):
    """One hook."""

    path: str
    args: list[str]
    env: list[str]
    timeout: int


class Hooks(TypedDict, total=False):
    """`hooks`: the six lists."""

    prestart: list[Hook]
    createRuntime: list[Hook]
    createContainer: list[Hook]
    startContainer: list[Hook]
    poststart: list[Hook]
    poststop: list[Hook]


class Namespace(TypedDict, total=False):
    """One entry of `linux.namespaces`; no path means a new one."""

    type: str
    path: str


class Device(TypedDict, total=False):
    """One entry of `linux.devices`."""

    type: str
    path: str
    major: int
    minor: int
    fileMode: int
    uid: int
    gid: int


class NetDevice(TypedDict, total=False):
    """One value of `linux.netDevices`; its key is the name on the host."""

    name: str


class TimeOffset(TypedDict, total=False):
    """One value of `linux.timeOffsets`; its key is the clock."""

    secs: int
    nanosecs: int


class DeviceRule(TypedDict, total=False):
    """One entry of `linux.resources.devices`."""

    allow: bool
    type: str
    major: int
    minor: int
    access: str


class Memory(TypedDict, total=False):
    """`linux.resources.memory`, in bytes."""

    limit: int
    reservation: int
    swap: int
    kernel: int
    kernelTCP: int
    swappiness: int
    disableOOMKiller: bool
    useHierarchy: bool
    checkBeforeUpdate: bool


class Cpu(TypedDict, total=False):
    """`linux.resources.cpu`, times in microseconds."""

    shares: int
    quota: int
    burst: int
    period: int
    realtimeRuntime: int
    realtimePeriod: int
    cpus: str
    mems: str
    idle: int


class Pids(TypedDict, total=False):
    """`linux.resources.pids`."""

    limit: int


class WeightDevice(TypedDict, total=False):
    """One entry of `linux.resources.blockIO.weightDevice`."""

    major: int
    minor: int
    weight: int
    leafWeight: int


class ThrottleDevice(TypedDict, total=False):
    """One entry of the four throttle lists of `linux.resources.blockIO`."""

    major: int
    minor: int
    rate: int


class BlockIo(TypedDict, total=False):
    """`linux.resources.blockIO`."""

    weight: int
    leafWeight: int
    weightDevice: list[WeightDevice]
    throttleReadBpsDevice: list[ThrottleDevice]
    throttleWriteBpsDevice: list[ThrottleDevice]
    throttleReadIOPSDevice: list[ThrottleDevice]
    throttleWriteIOPSDevice: list[ThrottleDevice]


class HugepageLimit(TypedDict, total=False):
    """One entry of `linux.resources.hugepageLimits`."""

    pageSize: str
    limit: int


class InterfacePriority(TypedDict, total=False):
    """One entry of `linux.resources.network.priorities`."""

    name: str
    priority: int


class Network(TypedDict, total=False):
    """`linux.resources.network`."""

    classID: int
    priorities: list[InterfacePriority]


class Rdma(TypedDict, total=False):
    """One value of `linux.resources.rdma`; its key is the device."""

    hcaHandles: int
    hcaObjects: int


class Resources(TypedDict, total=False):
    """`linux.resources`, and the whole document of `update --resources`."""

    unified: dict[str, str]
    devices: list[DeviceRule]
    memory: Memory
    cpu: Cpu
    pids: Pids
    blockIO: BlockIo
    hugepageLimits: list[HugepageLimit]
    network: Network
    rdma: dict[str, Rdma]


class SeccompArg(TypedDict, total=False):
    """One condition on a system call's argument."""

    index: int
    value: int
    valueTwo: int
    op: str


class SeccompSyscall(TypedDict, total=False):
    """One entry of `linux.seccomp.syscalls`."""

    names: list[str]
    action: str
    errnoRet: int
    args: list[SeccompArg]


class Seccomp(TypedDict, total=False):
    """`linux.seccomp`."""

    defaultAction: str
    defaultErrnoRet: int
    architectures: list[str]
    flags: list[str]
    listenerPath: str
    listenerMetadata: str
    syscalls: list[SeccompSyscall]


class IntelRdt(TypedDict, total=False):
    """`linux.intelRdt`."""

    closID: str
    schemata: list[str]
    l3CacheSchema: str
    memBwSchema: str
    enableMonitoring: bool


class MemoryPolicy(TypedDict, total=False):
    """`linux.memoryPolicy`: the arguments of set_mempolicy(2)."""

    mode: str
    nodes: str
    flags: list[str]


class Personality(TypedDict, total=False):
    """`linux.personality`."""

    domain: str
    flags: list[str]


class Linux(TypedDict, total=False):
    """`linux`."""

    uidMappings: list[IdMapping]
    gidMappings: list[IdMapping]
    sysctl: dict[str, str]
    resources: Resources
    cgroupsPath: str
    namespaces: list[Namespace]
    devices: list[Device]
    netDevices: dict[str, NetDevice]
    seccomp: Seccomp
    rootfsPropagation: str
    maskedPaths: list[str]
    readonlyPaths: list[str]
    mountLabel: str
    intelRdt: IntelRdt
    memoryPolicy: MemoryPolicy
    personality: Personality
    timeOffsets: dict[str, TimeOffset]


class Spec(TypedDict, total=False):
    """config.json."""

    ociVersion: str
    process: Process
    root: Root
    hostname: str
    domainname: str
    mounts: list[Mount]
    hooks: Hooks
    annotations: dict[str, str]
    linux: Linux
    solaris: dict[str, object]
    windows: dict[str, object]
    vm: dict[str, object]
    zos: dict[str, object]
    freebsd: dict[str, object]


class State(TypedDict, total=False):
    """The state of a container, as hooks and `state` get it (runtime.md, State)."""

    ociVersion: str
    id: str
    status: str
    pid: int
    bundle: str
    annotations: dict[str, str]


class ContainerProcessState(TypedDict, total=False):
    """What a seccomp listener gets together with the descriptors."""

    ociVersion: str
    fds: list[str]
    pid: int
    metadata: str
    state: State
