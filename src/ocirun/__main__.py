# SPDX-License-Identifier: Apache-2.0
"""Entry point of the ocirun command, and of `python -m ocirun`."""

import sys

if not __package__:
    # Started by path, under -I -P: nothing has put the package's directory on sys.path.
    sys.path.append(__file__.rsplit("/", 2)[0])

from ocirun.cli.main import run

run()
