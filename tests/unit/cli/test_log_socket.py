# SPDX-License-Identifier: Apache-2.0
"""Datagrams for the journal and for syslog, read by a socket in their place."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocirun.cli import log_socket


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.settimeout(10)
        found.bind(str(tmp_path / "socket"))
        yield found


def test_journal(daemon: socket.socket, tmp_path: Path) -> None:
    log_socket.connect("journald", "box", str(tmp_path / "socket"))("error", "bad \udcff")
    assert daemon.recv(1000) == b"MESSAGE=bad \\udcff\nPRIORITY=3\nSYSLOG_IDENTIFIER=box\n"


def test_syslog(daemon: socket.socket, tmp_path: Path) -> None:
    log_socket.connect("syslog", "box", str(tmp_path / "socket"))("warning", "odd")
    assert daemon.recv(1000) == f"<12>box[{os.getpid()}]: odd".encode()


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        log_socket.connect("syslog", "box", str(tmp_path / "none"))
    assert caught.value.filename == str(tmp_path / "none")
