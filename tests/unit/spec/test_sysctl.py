# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.errors import SpecError
from ocirun.spec import sysctl

ALL = {"ipc", "network", "uts", "user", "pid", "mount"}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
        ("kernel", "kernel"),
        ("", ""),
    ],
)
def test_file_of(name: str, path: str) -> None:
    assert sysctl.file_of(name) == path


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("kernel.msgmax", "ipc"),
        ("kernel/sem", "ipc"),
        ("kernel.shm_rmid_forced", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("net.core.somaxconn", "network"),
        ("net/ipv4/ping_group_range", "network"),
        ("user.max_user_namespaces", "user"),
    ],
)
def test_needs_its_namespace(name: str, owner: str) -> None:
    sysctl.check({name: "1"}, {owner})
    with pytest.raises(SpecError) as caught:
        sysctl.check({name: "1"}, ALL - {owner})
    assert caught.value.message == (
        f'linux.sysctl["{name}"]: not allowed without a {owner} namespace of the container\'s own'
    )


@pytest.mark.parametrize(
    "name",
    [
        "kernel.panic",
        "vm.swappiness",
        "fs.file-max",
        "kernel.msgmaxx",
        "fs.mqueuex.msg_max",
        "netx.core",
        "userx.y",
        "kernel.core_pattern",
    ],
)
def test_host_wide(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        sysctl.check({name: "1"}, ALL)
    assert caught.value.message == f'linux.sysctl["{name}"]: not in a separate kernel namespace'


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "net.",
        "net..core",
        "/net/core",
        "net/../kernel/core_pattern",
        "net.//.kernel.core_pattern",
        "net.//.//.kernel",
        "net./.core",
        "net/",
    ],
)
def test_no_way_out_of_the_tree(name: str) -> None:
    with pytest.raises(SpecError, match=r"not the name of a sysctl$"):
        sysctl.check({name: "1"}, ALL)


def test_names_of_the_host() -> None:
    sysctl.check({"kernel.domainname": "x"}, {"uts"})
    with pytest.raises(SpecError, match=r"use the field hostname instead$"):
        sysctl.check({"kernel.hostname": "x"}, {"uts"})
    for name in ("kernel.domainname", "kernel.hostname"):
        with pytest.raises(SpecError, match=r"not in a separate kernel namespace$"):
            sysctl.check({name: "x"}, ALL - {"uts"})


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("net.ipv4.ip_forward", "network"),
        ("net/ipv4/conf/eno2.100/rp_filter", "network"),
        ("kernel.msgmax", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("kernel.domainname", "uts"),
        ("user.max_user_namespaces", "user"),
    ],
)
def test_owner(name: str, owner: str) -> None:
    assert sysctl.owner_of(name) == owner
