# SPDX-License-Identifier: Apache-2.0
"""Bundles for tests: the config.json of `ocirun spec`, changed where a test wants it."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ocirun.spec.model import Spec

Change = Callable[[Spec], object]


class Bundles:
    """Makes bundles below a directory, all with the same root filesystem."""

    def __init__(self, directory: Path, rootfs: Path, config: str) -> None:
        self.directory = directory
        self.rootfs = rootfs
        self._config = config
        self._made: list[Path] = []

    def __call__(self, *args: str, change: Change | None = None) -> Path:
        """Make a bundle that runs `args`, without a terminal; `change` has the last word."""
        config: Spec = json.loads(self._config)
        config["root"]["path"] = str(self.rootfs)
        config["process"]["terminal"] = False
        if args:
            config["process"]["args"] = list(args)
        if change:
            change(config)
        path = Path(tempfile.mkdtemp(prefix="bundle-", dir=self.directory))
        path.chmod(0o755)
        self._made.append(path)
        (path / "config.json").write_text(json.dumps(config))
        return path

    def remove(self) -> None:
        """Remove all that were made."""
        for path in self._made:
            shutil.rmtree(path)
