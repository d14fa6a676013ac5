# SPDX-License-Identifier: Apache-2.0
"""`checkpoint`: have criu save a container's processes, and then let them end, or not."""

import os
import stat
from fcntl import LOCK_EX, LOCK_UN, flock

from ocirun._linux import openat2
from ocirun.engine import criu as jobs, delete, kill, state as states, status
from ocirun.engine.namespaces import Namespaces
from ocirun.errors import KernelError, OcirunError
from ocirun.linux import criu
from ocirun.linux.cgroup import layout
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ocirun.engine.criu import Job
    from ocirun.engine.state import State
    from ocirun.linux.criu import Value
    from ocirun.spec.model import Spec

_LOG = "dump.log"
_NO_MAGICLINKS, _IN_ROOT = 2, 16


def checkpoint(root: str, container_id: str, job: "Job", warn: "Callable[[str], None]") -> None:
    """Save a container; unless it is to run on, it is removed then."""
    state = states.load_state(root, container_id)
    lock = states.lock(state.directory)
    try:
        state = states.load_state(root, container_id)
        jobs.refuse_unless(status.of(state), (status.RUNNING, status.PAUSED))
        job.find_program()
        if job.pre_dump:
            job.require("mem_track", "memory tracking")
        if job.switches.get("lazy_pages"):
            job.require("lazy_pages", "lazy pages")
        jobs.make_directory(job.images)
        there = set(os.listdir(job.images))
        if job.switches.get("lazy_pages"):
            # Criu serves pages for as long as somebody may want one: others can act meanwhile.
            flock(lock, LOCK_UN)
        try:
            _dump(state, job)
        except BaseException:
            _discard(job.images, there)
            raise
        if not job.pre_dump and not job.switches.get("leave_running"):
            flock(lock, LOCK_EX)
            _remove(state, lock, warn)
    finally:
        job.close()
        os.close(lock)


def _remove(state: "State", lock: int, warn: "Callable[[str], None]") -> None:
    if not os.fstat(lock).st_nlink:
        return  # somebody was faster
    try:
        delete.destroy(state, warn)
    except OcirunError as error:
        warn(error.message)


def _discard(images: str, there: set[str]) -> None:
    """Remove the images of a dump that failed, and leave the log."""
    try:
        for name in set(os.listdir(images)) - there - {_LOG}:
            os.unlink(f"{images}/{name}")
    except OSError:
        pass  # somebody else has, perhaps; what is to be told is why the dump failed


def _dump(state: "State", job: "Job") -> None:
    spec = state.config()
    wanted = job.open(_LOG)
    wanted["pid"] = state.pid
    wanted["root"] = state.rootfs
    if configuration := jobs.configuration(state.annotations):
        wanted["config_file"] = configuration
    wanted["external"] = _external_namespaces(spec)
    freezer = state.cgroup_paths.get("freezer") or state.cgroup_paths.get("")
    if freezer:
        wanted["freeze_cgroup"] = freezer
    if job.page_server:
        wanted["ps"] = criu.pair(*job.page_server)
    if job.parent:
        wanted["parent_img"] = job.parent
        wanted["track_mem"] = True
    if not job.pre_dump:
        wanted["ext_mnt"] = _external_mounts(state, spec)
        with open(f"{job.images}/{jobs.DESCRIPTORS}", "w") as file:
            file.write(encode.dumps(state.descriptors))
    was_paused = status.of(state) == status.PAUSED
    try:
        _run(job, criu.PRE_DUMP if job.pre_dump else criu.DUMP, wanted)
    except OSError as error:
        # Criu lets them go on itself, unless it was killed in the middle.
        if not was_paused:
            kill.thaw(state)
        raise job.failure("checkpoint", state.id, error) from error


def _run(job: "Job", kind: int, wanted: "dict[str, Value]") -> None:
    def notified(script: str, _: int, fd: int) -> None:
        if fd >= 0:
            os.close(fd)
        if script == "status-ready" and job.status_fd >= 0:
            os.write(job.status_fd, b"\0")
            os.close(job.status_fd)
            job.status_fd = -1

    session = criu.Session(job.program)
    try:
        session.ask(kind, criu.options(wanted), notified=notified)
    finally:
        session.close()
    # After a pre-dump it waits for the next one, and takes the end of that for an error.
    if session.status and kind == criu.DUMP:
        raise criu.RefusedError(5, f"ended with {os.waitstatus_to_exitcode(session.status)}")


def _external_namespaces(spec: "Spec") -> list[str]:
    found = []
    joined = Namespaces(spec.get("linux", {}).get("namespaces", [])).joined
    for kind, name in jobs.EXTERNAL.items():
        if kind not in joined:
            continue
        try:
            inode = os.stat(joined[kind]).st_ino
        except OSError as error:
            said = (error.strerror or "").lower()
            raise KernelError(f"look at the {kind} namespace: {joined[kind]}: {said}") from error
        found.append(f"{name}[{inode}]:{jobs.external_key(kind)}")
    return found


def _external_mounts(state: "State", spec: "Spec") -> list[bytes]:
    found = jobs.external_mounts(
        spec, state.bundle, state.rootfs, layout.read(), state.cgroup_paths
    )
    names = {where: where for where, _ in found}
    root = os.open(f"/proc/{state.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path in spec.get("linux", {}).get("maskedPaths", []):
            if _is_file(root, path):
                names[jobs.find_real(root, path)] = "/dev/null"
    finally:
        os.close(root)
    return [criu.pair(where, name) for where, name in names.items()]


def _is_file(root: int, path: str) -> bool:
    try:
        fd = openat2(root, path, os.O_PATH, 0, _NO_MAGICLINKS | _IN_ROOT)
    except FileNotFoundError:
        return False
    try:
        return not stat.S_ISDIR(os.fstat(fd).st_mode)
    finally:
        os.close(fd)
