# SPDX-License-Identifier: Apache-2.0
"""What a container sees is the same under ocirun and under runc, or explained.py says why not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.peer.configs import configs
from tests.peer.conftest import Pair
from tests.peer.difference import differences
from tests.peer.explained import unexplained
from tests.peer.runtime import Config

pytestmark = [pytest.mark.root, pytest.mark.timeout(3600)]

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
#: hypothesis varies what it has: a new beginning gives more that is new
ROUND = 6


class Comparison:
    """Runs each config once by both, and remembers what cannot be explained."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.seen: set[str] = set()
        self.started = 0
        self.found: list[str] = []

    def __call__(self, config: Config) -> None:
        text = json.dumps(config)
        if text in self.seen:
            return
        self.seen.add(text)
        owner = _owner(config)
        ours = self.pair.ours.run(config, owner=owner)
        theirs = self.pair.theirs.run(config, owner=owner)
        self.started += not ours.code
        left = unexplained(differences(config, ours, theirs), self.pair.version)
        lines = [f"{one.key}\n  ocirun: {one.ours}\n  peer:   {one.theirs}" for one in left]
        lines += [f"left behind: {what}" for what in ours.left]
        if lines:
            self.found.append("\n".join([*lines, text]))


def _owner(config: Config) -> int:
    """Give the host's id of the container's root, who needs a root filesystem of his own."""
    linux = config["linux"]
    assert isinstance(linux, dict)
    mappings = linux.get("uidMappings")
    if not isinstance(mappings, list):
        return 0
    assert isinstance(mappings[0], dict)
    return int(str(mappings[0]["hostID"]))


def _round(number: int, pair: Pair, examples: int, run: Callable[[Config], None]) -> None:
    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(configs(pair.knows, pair.ours.name))
    def compare(config: Config) -> None:
        run(config)

    compare()


@pytest.mark.slow
def test_containers_are_the_same(pair: Pair) -> None:
    pair.must_be_new()
    wanted = pair.number(40)
    compare = Comparison(pair)
    number = pair.seed
    while len(compare.seen) < wanted:
        _round(number, pair, min(ROUND, wanted - len(compare.seen) + 1), compare)
        number += 1
    assert not compare.found, "\n\n".join(compare.found)
    # Configs that nobody can run would prove nothing.
    assert compare.started > len(compare.seen) * 0.6


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(pair: Pair, path: Path) -> None:
    """Run a config that once made a difference; its `needs` are words of conftest.SINCE."""
    case = json.loads(path.read_text().replace("@CASE@", pair.ours.name))
    for field in case["needs"]:
        if not pair.knows(field):
            pytest.skip(f"runc {'.'.join(map(str, pair.version))} has no {field}")
    compare = Comparison(pair)
    compare(case["config"])
    assert not compare.found, "\n\n".join(compare.found)
    assert bool(compare.started) == case["starts"]
