# SPDX-License-Identifier: Apache-2.0
"""Places for containers that ask for everything."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bundle import Bundles
from tests.engine.everything import Console, Place, ask_for_everything, map_ids, own_all, share_most

from ocirun.spec.model import Spec

VARIANTS = {"host's ids": (), "own ids": (map_ids,), "host's namespaces": (share_most,)}


@pytest.fixture(params=list(VARIANTS))
def place(
    request: pytest.FixtureRequest, bundle: Bundles, tmp_path: Path, name: str
) -> Iterator[Place]:
    """Give all that a container needs which asks for everything."""

    def change(spec: Spec) -> None:
        ask_for_everything(spec)
        for more in VARIANTS[request.param]:
            more(spec)
        spec["linux"]["cgroupsPath"] = f"/{name}/inner"

    # Three levels, of which two are ours, are to go again.
    path = bundle("sh", "-c", "exit 0", change=change)
    if request.param == "own ids":
        own_all(bundle.rootfs, 100000)
    console = Console(tmp_path)
    root = tmp_path / "state"
    root.mkdir(mode=0o700)
    made = Place(root, name, path, console, str(bundle.directory))
    made.terminal = request.param != "host's namespaces"
    yield made
    console.close()
    if os.path.ismount(bundle.rootfs):
        subprocess.run(["umount", "--recursive", "--lazy", bundle.rootfs], check=True)
