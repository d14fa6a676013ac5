# SPDX-License-Identifier: Apache-2.0
"""A warm process that runs containers through `ocirun.engine`, for the benchmark.

Each line of standard input is a container's id; each line of standard output says how many
nanoseconds its whole life took, from reading config.json until all of it is removed.
"""

import sys
import time

from ocirun.engine.request import Request
from ocirun.engine.run import run


def main(root: str, bundle: str) -> int:
    """Serve until the end of the input."""
    for line in sys.stdin:
        request = Request(root, line.strip(), bundle)
        began = time.perf_counter_ns()
        code = run(request)
        ended = time.perf_counter_ns()
        if code:
            return code
        print(ended - began, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
