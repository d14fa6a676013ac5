# SPDX-License-Identifier: Apache-2.0
"""`ocirun features` prints a document that engines can read."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Command


def test_document(command: "Command") -> None:
    done = command("features")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('{\n    "ociVersionMin": "1.0.0",\n')
    assert done.stdout.endswith("\n}\n")
    document = json.loads(done.stdout)
    assert document["ociVersionMax"] == "1.3.0"
    assert {"bind", "rbind", "ro", "rro", "rprivate"} <= set(document["mountOptions"])
    assert "CAP_SYS_ADMIN" in document["linux"]["capabilities"]
