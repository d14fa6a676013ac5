# SPDX-License-Identifier: Apache-2.0
"""Engines from the distribution's packages do with ocirun what they do with runc."""

import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.engines import scenarios, scenarios_ctr
from tests.engines.box import Box, until
from tests.engines.containerd import Containerd
from tests.engines.table import Table

if TYPE_CHECKING:
    from tests.engines.docker import Docker
    from tests.engines.podman import Podman

pytestmark = [pytest.mark.engines, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(300)]

#: what also runs where nobody asked for engines
BASIC: set[str] = set()
#: a killed engine forgets the containers that it was making, whatever the runtime is
FORGETFUL = (scenarios.crash, scenarios_ctr.ctr_crash)
EVERY = bool(os.environ.get("OCIRUN_ENGINES"))


def _chosen(all_of_them: "tuple[scenarios.Scenario, ...]") -> list[object]:
    return [
        pytest.param(scenario, id=scenario.__name__)
        for scenario in all_of_them
        if EVERY or scenario.__name__ in BASIC
    ]


@pytest.mark.parametrize("scenario", _chosen(scenarios.ALL))
@pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True, scope="session")
def test_engine_sees_no_difference(
    engine: "Docker | Podman", scenario: scenarios.Scenario, table: Table
) -> None:
    compare(engine, scenario, table)


@pytest.mark.parametrize("scenario", _chosen(scenarios_ctr.ALL))
@pytest.mark.parametrize("engine", ["containerd"], indirect=True, scope="session")
def test_ctr_sees_no_difference(
    engine: Containerd, scenario: scenarios.Scenario, table: Table
) -> None:
    compare(engine, scenario, table)


def compare(
    engine: "Docker | Podman | Containerd", scenario: scenarios.Scenario, table: Table
) -> None:
    """Run a scenario with both runtimes, and look at the answers and at what is left."""
    answers: dict[str, list[tuple[str, int, str]]] = {}
    seconds: dict[str, float] = {}
    for runtime in "runc", "ocirun":
        before = engine.room.inventory()
        box = Box(engine, runtime)  # type: ignore[arg-type] # words() of ctr takes no runtime
        start = time.monotonic()
        try:
            scenario(box)
        finally:
            seconds[runtime] = time.monotonic() - start
            answers[runtime] = list(box.answers)
            engine.clean()
        if scenario in FORGETFUL:
            continue
        assert until(lambda: not engine.room.inventory() - before, 10), (  # noqa: B023
            runtime,
            engine.room.inventory() - before,
        )
    # Nothing was asked of runc where this machine lets it do nothing.
    if answers["runc"]:
        assert answers["ocirun"] == answers["runc"]
    else:
        del seconds["runc"]
    what = (scenario.__doc__ or scenario.__name__).splitlines()[0]
    table.add(f"{engine.name} {engine.version()}", what, seconds)
