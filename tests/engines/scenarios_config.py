# SPDX-License-Identifier: Apache-2.0
"""Scenarios about what a container is given: mounts, rights, users, namespaces, limits."""

import json
import re
from pathlib import Path

from tests.engines.box import Box


def volumes(box: Box) -> None:
    """volumes and bind mounts, with propagation"""
    host = f"{box.engine.room.path}/volume"
    box.host("sh", "-c", f"mkdir -p {host}/sub; echo text >{host}/file; echo one >{host}.file")
    flags = ["-v", f"{host}:/ro:ro", "-v", f"{host}:/rw", "-v", f"{host}.file:/etc/one:ro"]
    flags += ["-v", "named:/named"]
    for propagation in "shared", "slave", "private", "rshared", "rslave":
        mount = f"type=bind,source={host},target=/{propagation},bind-propagation={propagation}"
        flags += ["--mount", mount]
    script = "cat /ro/file /etc/one; touch /ro/new || touch /rw/new; touch /named/x; "
    out = box.run("--rm", *flags, "--", "sh", "-c", script + "ls /rw /named")
    assert out.split() == ["text", "one", "/named:", "x", "/rw:", "file", "new", "sub"]
    out = box.run("-d", "--name", "one", *flags, "--", "sleep", "1000", show=None)
    box.call(
        "exec", "one", "sh", "-c", "grep -o ' /[rsp].*' /proc/self/mountinfo", show=_propagation
    )
    box.host("mount", "-t", "tmpfs", "seen", f"{host}/sub")
    seen = box.call("exec", "one", "sh", "-c", "grep -o '/[a-z]*/sub' /proc/self/mountinfo | sort")
    assert seen.out.split() == ["/rshared/sub", "/rslave/sub", "/shared/sub", "/slave/sub"]
    box.host("umount", f"{host}/sub")
    box.remove("one")
    box.call("volume", "rm", "named")
    box.host("rm", "-r", host)


def _propagation(out: str) -> str:
    return re.sub(r":\d+", "", "\n".join(sorted(re.findall(r" /(?:\w+)? .*? - ", out))))


def temporary(box: Box) -> None:
    """tmpfs, --read-only, --shm-size"""
    flags = ["--read-only", "--shm-size", "8m", "--tmpfs", "/scratch:size=1m,mode=700,exec"]
    script = "touch /x || echo refused; touch /scratch/x /dev/shm/x && echo made; "
    script += "grep -E -o ' (/scratch|/dev/shm|/sys|/proc) .*' /proc/self/mountinfo | sort"
    out = box.run("--rm", *flags, "--", "sh", "-c", script)
    assert out.startswith("refused\nmade\n"), out
    assert re.search("size=8192k", out), out


RIGHTS = ("grep", "-E", "Cap|NoNew|Seccomp:|Groups", "/proc/self/status")


def rights(box: Box) -> None:
    """--cap-add, --cap-drop, --privileged, no-new-privileges, seccomp"""
    plain = box.run("--rm", "--", *RIGHTS)
    assert "Seccomp:\t2" in plain
    seen = {plain}
    for flags in (
        ["--cap-add", "SYS_ADMIN"],
        ["--cap-drop", "ALL"],
        ["--cap-drop", "ALL", "--cap-add", "NET_RAW"],
        ["--security-opt", "no-new-privileges"],
        ["--security-opt", "seccomp=unconfined"],
    ):
        seen.add(box.run("--rm", *flags, "--", *RIGHTS))
    assert len(seen) == 6
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
    path = box.engine.room.path / "seccomp.json"
    path.write_text(json.dumps(profile))
    option = ["--security-opt", f"seccomp={path}"]
    box.run("--rm", *option, "--", "mkdir", "/new", code=1)
    box.run("--rm", "--", "unshare", "-m", "true", code=1)
    script = "for f in /proc/kcore /proc/keys /sys/firmware; do head -c1 $f 2>&1 | wc -c; done"
    box.run("--rm", "--", "sh", "-c", script)
    box.run("--rm", "--", "sh", "-c", "echo x >/proc/sys/kernel/hostname", code=1)


def privileged(box: Box) -> None:
    """--privileged"""
    # An old runc fails where the machine itself has not all capabilities.
    if box.runtime == "runc" and not has_all_capabilities():
        return
    status = box.run("--rm", "--privileged", "--", *RIGHTS)
    assert "Seccomp:\t0" in status
    script = "ls /dev; mount -t tmpfs tmpfs /tmp && grep -c ' /tmp ' /proc/self/mountinfo"
    out = box.run("--rm", "--privileged", "--", "sh", "-c", script)
    assert {"null", "kmsg", "loop-control", "1"} <= set(out.split())


def has_all_capabilities() -> bool:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    status = Path("/proc/self/status").read_text()
    return f"CapBnd:\t{(1 << last + 1) - 1:016x}" in status


def users(box: Box) -> None:
    """--user, --group-add, --workdir, -e, --hostname"""
    flags = ["--user", "nobody", "--group-add", "tty", "--group-add", "77"]
    out = box.run("--rm", *flags, "--", "id")
    assert "65534" in out
    assert "77" in out
    # Podman asks for a directory that is there.
    where = "/new/dir" if box.engine.name == "docker" else "/tmp"
    box.run("--rm", "--user", "12:34", "-w", where, "--", "sh", "-c", "id; pwd; echo $HOME")
    box.run("--rm", "-h", "somewhere", "-e", "A=b", "--", "sh", "-c", "hostname; env | sort")


def shared_namespaces(box: Box) -> None:
    """--pid, --net, --ipc, --uts: container:X and host"""
    box.run("-d", "--name", "one", "--ipc", "shareable", "--", "sleep", "1000", show=None)
    first = "readlink /proc/1/ns/pid; cd /proc/self/ns; for x in net ipc; do readlink $x; done"
    wanted = box.call("exec", "one", "sh", "-c", first, show=None).out
    join = [f"--{kind}=container:one" for kind in ("pid", "net", "ipc")]
    words = ["--rm", *join, "--", "sh", "-c", first + "; ps | grep -c 'sleep 1000'"]
    # The default `--net none` would be named twice.
    answer = box.call(*box.run_words(*words), show=None)
    assert answer.out.split()[:3] == wanted.split()
    host = ["--pid=host", "--net=host", "--ipc=host", "--uts=host"]
    links = "cd /proc/self/ns; for x in net ipc uts pid; do readlink $x; done"
    out = box.run("--rm", *host, "--", "sh", "-c", links, show=None)
    assert out == box.host("sh", "-c", links)
    box.remove("one")


def other_limits(box: Box) -> None:
    """--cgroup-parent, --ulimit, --sysctl, --device, --oom-score-adj"""
    parent = f"{box.engine.room.cgroup}/deeper"
    words = ["--rm", "--cgroup-parent", parent, "--", "cat", "/proc/self/cgroup"]

    def show(out: str) -> str:
        return re.sub(r"libpod-\S+|/ID", "", out)

    assert f":/{parent[1:]}/" in box.run(*words, show=show)
    flags = ["--ulimit", "nofile=100:200", "--ulimit", "core=0"]
    box.run("--rm", *flags, "--", "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c")
    flags = ["--sysctl", "net.ipv4.ip_local_port_range=2000 3000", "--sysctl", "kernel.msgmax=9000"]
    files = ["/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/kernel/msgmax"]
    assert box.run("--rm", *flags, "--", "cat", *files).split() == ["2000", "3000", "9000"]
    flags = ["--device", "/dev/fuse:/dev/other:r", "--oom-score-adj", "77"]
    box.run(
        "--rm",
        *flags,
        "--",
        "sh",
        "-c",
        "stat -c '%F %a %t:%T' /dev/other; cat /proc/self/oom_score_adj",
    )
    box.run("--rm", "--sysctl", "kernel.nonsense=1", "--", "true", code=125)
