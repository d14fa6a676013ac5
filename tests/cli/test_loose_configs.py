# SPDX-License-Identifier: Apache-2.0
"""Configurations as tools write them that were made for Go: null for what is absent, keys in any case."""

import json
from typing import TYPE_CHECKING

import pytest
from tests.cli.changes import both, put, refused

from ocirun.spec import schema

if TYPE_CHECKING:
    from tests.bundle import Bundles
    from tests.cli.conftest import Command
    from tests.cli.inside import Look

    from ocirun.spec.model import Spec

pytestmark = pytest.mark.root


def nulls(spec: "Spec") -> None:
    """Write null for every field of these that the config does not have."""
    linux = spec["linux"]
    tables = ((spec, schema.SPEC), (spec["process"], schema.PROCESS), (linux, schema.LINUX))
    for fields, table in tables:
        document: dict[str, object] = fields  # type: ignore[assignment]
        for name in table:
            if isinstance(name, str):
                document.setdefault(name, None)
    spec["process"]["user"] = None  # type: ignore[typeddict-item]
    linux["resources"] = None  # type: ignore[typeddict-item]


def test_null_is_absent_for_each_command(look: "Look") -> None:
    look.start(nulls)
    command, name = look.command, look.name
    done = command("exec", name, "sh", "-c", "id -u; echo $$")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0\n")
    for words in (
        ("update", "--pids-limit", "50", name),
        ("events", "--stats", name),
        ("pause", name),
        ("resume", name),
        ("ps", name),
    ):
        done = command(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
    look.end()


def other_case(spec: "Spec") -> None:
    """Write keys on every level in a case of their own."""
    document: dict[str, object] = spec  # type: ignore[assignment]
    process = json.loads(json.dumps(spec["process"]))
    del document["process"]
    process["CWD"] = "/tmp"
    del process["cwd"]
    process["User"] = {"UID": 7, "gid": 8}
    del process["user"]
    document["Process"] = process
    spec["linux"]["resources"] = {"pids": {"Limit": 44}}  # type: ignore[typeddict-unknown-key]


def test_keys_in_another_case(look: "Look") -> None:
    look.start(other_case)
    done = look.command("exec", look.name, "sh", "-c", "pwd; id -u; id -g")
    assert (done.returncode, done.stdout, done.stderr) == (0, "/tmp\n7\n8\n", "")
    statistics = json.loads(look.command("events", "--stats", look.name).stdout)
    assert statistics["data"]["pids"]["limit"] == 44
    look.end()


def test_one_key_in_two_spellings(command: "Command", bundle: "Bundles", name: str) -> None:
    change = both(put(Hostname="a", hostname="b"))
    done = command("run", "-b", str(bundle("true", change=change)), name)
    refused(done, "hostname: given twice, as ", "keep one of them")
