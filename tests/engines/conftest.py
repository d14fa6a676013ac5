# SPDX-License-Identifier: Apache-2.0
"""Engines that run as long as their tests, each in a room of its own."""

import os
from collections.abc import Iterator

import pytest
from tests.engines import containerd, docker, podman
from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.podman import Podman
from tests.engines.room import Room
from tests.engines.table import Table

pytest.register_assert_rewrite(
    "tests.engines.scenarios", "tests.engines.scenarios_config", "tests.engines.scenarios_ctr"
)

KINDS = {
    "docker": (docker, Docker),
    "podman": (podman, Podman),
    "containerd": (containerd, Containerd),
}


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """Collect the wall times; `./dev engines` writes them into the page."""
    made = Table()
    yield made
    if os.environ.get("OCIRUN_ENGINES"):
        made.write()


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, ocirun: str, busybox: str
) -> "Iterator[Docker | Podman | Containerd]":
    """Start one engine by its name."""
    module, kind = KINDS[request.param]
    if missing := module.missing():
        pytest.skip(missing)
    with Room() as room:
        started: Docker | Podman | Containerd = kind(room, ocirun, busybox)  # type: ignore[assignment] # of KINDS
        yield started
        started.stop()
