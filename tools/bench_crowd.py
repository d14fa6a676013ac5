# SPDX-License-Identifier: Apache-2.0
"""Many containers that wait for their start, for what has to cost the same beside them."""

import os
from pathlib import Path
from typing import Self

from ocirun.engine.create import create
from ocirun.engine.delete import delete
from ocirun.engine.request import Request


class Crowd:
    """Created containers in one state root; their processes are our children."""

    def __init__(self, root: Path, bundle: Path, count: int) -> None:
        self._root = str(root)
        self._bundle = str(bundle)
        self._count = count
        self._pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            for number in range(self._count):
                name = f"crowd-{os.getpid()}-{number}"
                self._pids[name] = create(Request(self._root, name, self._bundle))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name, pid in self._pids.items():
            delete(self._root, name, force=True)
            os.waitpid(pid, 0)
