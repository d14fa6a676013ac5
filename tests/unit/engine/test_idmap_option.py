# SPDX-License-Identifier: Apache-2.0
"""The option idmap=... in its written form."""

import pytest

from ocirun.engine.idmap_option import parse
from ocirun.engine.idmapped import Idmap
from ocirun.errors import SpecError
from ocirun.linux.mount import Options
from ocirun.spec.model import Linux

OWN: Linux = {
    "uidMappings": [
        {"containerID": 0, "hostID": 100000, "size": 100},
        {"containerID": 100, "hostID": 500000, "size": 10},
    ],
    "gidMappings": [{"containerID": 0, "hostID": 200000, "size": 100}],
}


Lines = list[tuple[int, int, int]]


def parsed(option: str) -> tuple[Lines, Lines]:
    idmap = Idmap("mounts[0]", "/s", {}, Options(["bind", option]))
    parse(idmap, option, OWN)
    uids, gids = (
        [(line["containerID"], line["hostID"], line["size"]) for line in lines]
        for lines in (idmap.uids, idmap.gids)
    )
    return uids, gids


@pytest.mark.parametrize(
    ("option", "uids", "gids"),
    [
        ("idmap=uids=0-1-10;gids=0-100-10", [(0, 1, 10)], [(0, 100, 10)]),
        ("ridmap=gids=5-6-7;uids=0-1-1#1-9-1", [(0, 1, 1), (1, 9, 1)], [(5, 6, 7)]),
        ("idmap=uids=@7-3-10;gids=@0-0-1", [(7, 100003, 10)], [(0, 200000, 1)]),
        ("idmap=uids=@0-100-10#9-8-7;gids=0-0-1", [(0, 500000, 10), (9, 8, 7)], [(0, 0, 1)]),
    ],
)
def test_mappings(option: str, uids: Lines, gids: Lines) -> None:
    assert parsed(option) == (uids, gids)


@pytest.mark.parametrize(
    "value",
    [
        *("", "uids=0-0-1", "gids=0-0-1", "uids=;gids=0-0-1", "uids=0-0;gids=0-0-1"),
        *("uids=0-0-1;gids=0-0-1;", "uids=0-0-1;uids=0-0-1", "uids=0-0-x;gids=0-0-1"),
        *("uids=0--1-1;gids=0-0-1", "uids=0-0-\u0661;gids=0-0-1", "pids=0-0-1;gids=0-0-1"),
    ],
)
def test_what_is_no_mapping(value: str) -> None:
    with pytest.raises(SpecError, match="is no mapping"):
        parsed(f"idmap={value}")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("uids=0-0-0;gids=0-0-1", "must not be 0"),
        ("uids=0-4294967295-2;gids=0-0-1", "runs past the last ID"),
        ("uids=@0-95-10;gids=0-0-1", "10 ids from 95 on"),
        ("uids=0-0-1;gids=@0-100-1", "1 ids from 100 on"),
    ],
)
def test_impossible_numbers(value: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        parsed(f"idmap={value}")
