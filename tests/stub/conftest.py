# SPDX-License-Identifier: Apache-2.0
"""Each test of the stub runs twice: with the program that is installed, and with sanitizers."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.stub.compiler import build_sanitized
from tests.stub.dialogue import Begin, Stub

from ocirun.engine import stub as engine_stub, wire


@pytest.fixture(scope="session", params=["installed", "sanitized"])
def program(request: pytest.FixtureRequest, open_directory: Path) -> str:
    """Give the path of a stub that every user may execute."""
    if request.param == "sanitized":
        return build_sanitized(open_directory)
    target = open_directory / "stub"
    shutil.copy(engine_stub.program_path(), target)
    target.chmod(0o755)
    return str(target)


@pytest.fixture
def begin(program: str) -> Iterator[Begin]:
    """Give a function that starts a stub with a plan; nothing of it outlives the test."""
    started: list[Stub] = []

    def start(
        plan: "wire.Plan | bytes",
        *fds: int,
        fail_at: int = wire.NEVER,
        before: Callable[[], None] | None = None,
    ) -> Stub:
        stub = Stub(program, plan, *fds, fail_at=fail_at, before=before)
        started.append(stub)
        return stub

    yield start
    for stub in started:
        stub.close()


@pytest.fixture
def plan() -> wire.Plan:
    return wire.Plan()
