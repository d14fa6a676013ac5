# SPDX-License-Identifier: Apache-2.0
"""The first process of a room: adopts what engines leave, and ends when its input does."""

import os
import subprocess

hold = subprocess.Popen(["cat"], stdout=subprocess.DEVNULL)
print("ready", flush=True)  # noqa: T201  (its parent waits for it)
while os.wait()[0] != hold.pid:
    pass
