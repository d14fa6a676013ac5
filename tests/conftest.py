# SPDX-License-Identifier: Apache-2.0
"""Bundles to run, a state root of one's own, and a look at what each test leaves behind."""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import conformance, leak, privilege
from tests.bundle import Bundles

import rootfs
from ocirun import _linux

TOP = Path(__file__).parents[1]
PR_SET_CHILD_SUBREAPER = 36

#: tests below these directories are watched for leaks
WATCHED = ("cli", "engine", "peer", "style")

_numbers = itertools.count(1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and (missing := privilege.missing_root()):
        pytest.skip(missing)
    if item.get_closest_marker("userns") and (missing := privilege.missing_userns()):
        pytest.skip(missing)


#: test functions that ran in one of their forms at least, and those of which one was skipped
_ran: set[str] = set()
_skipped: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    function = report.nodeid.partition("[")[0]
    if report.skipped:
        _skipped.add(function)
    elif report.when == "call":
        _ran.add(function)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole run by root in which something that docs/conformance.md promises never ran."""
    whole = not (session.config.option.keyword or session.config.option.markexpr)
    if whole and session.config.args == session.config.getini("testpaths") and not os.geteuid():
        missing = conformance.never_ran(_ran, _skipped)
        if missing and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by what they lack."""
    for test in conformance.never_ran(_ran, _skipped):
        terminalreporter.write_line(f"{test} is promised by {conformance.PAGE}, and was skipped")
    lacking: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report, pytest.TestReport | pytest.CollectReport):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            lacking[reason.removeprefix("Skipped: ")] += 1
    if lacking:
        terminalreporter.section("skipped, by what is missing here")
    for reason, count in lacking.most_common():
        terminalreporter.write_line(f"{count:5}  {reason}")


@pytest.fixture(scope="session")
def ocirun() -> str:
    """Give the path of the installed command."""
    path = TOP / ".venv" / "bin" / "ocirun"
    if not path.exists():
        pytest.skip("./dev build")
    return str(path)


@pytest.fixture
def name() -> str:
    """Give a container id that no other test has."""
    return f"{leak.TAG}-{next(_numbers)}"


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """Give a directory that every user may pass through, as pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix=f"{leak.TAG}-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def state_root(request: pytest.FixtureRequest, ocirun: str, tmp_path: Path) -> Iterator[Path]:
    """Give a private state root, which must be empty again at the end."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    yield path
    left = sorted(os.listdir(path))
    for container in left:
        subprocess.run(
            [ocirun, "--root", str(path), "delete", "--force", container],
            capture_output=True,
            check=False,
        )
    if left and "state" not in _allowed(request):
        pytest.fail(f"left in the state root: {left}")


@pytest.fixture(scope="session")
def busybox() -> str:
    """Give the path of a static busybox."""
    path = rootfs.static_busybox()
    if not path:
        pytest.skip("busybox-static")
    return path


@pytest.fixture
def busybox_rootfs(busybox: str, open_directory: Path) -> Iterator[Path]:
    """Give a root filesystem of busybox and its applets, for one test alone."""
    path = Path(tempfile.mkdtemp(prefix="rootfs-", dir=open_directory))
    path.chmod(0o755)
    rootfs.make(path, busybox)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def default_config(ocirun: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give what `ocirun spec` writes for this user."""
    flags = [] if os.geteuid() == 0 else ["--rootless"]
    directory = tmp_path_factory.mktemp("spec")
    subprocess.run([ocirun, "spec", *flags], cwd=directory, check=True)
    return (directory / "config.json").read_text()


@pytest.fixture
def bundle(busybox_rootfs: Path, default_config: str, open_directory: Path) -> Iterator[Bundles]:
    """Give a function that makes bundles: bundle("id", change=lambda config: ...)."""
    bundles = Bundles(open_directory, busybox_rootfs, default_config)
    yield bundles
    bundles.remove()


@pytest.fixture(scope="session")
def _adopting(tmp_path_factory: pytest.TempPathFactory) -> None:
    _linux.prctl(PR_SET_CHILD_SUBREAPER, 1)
    leak.ours.add(str(tmp_path_factory.getbasetemp()))


@pytest.fixture(autouse=True)
def _no_leak(request: pytest.FixtureRequest) -> Iterator[None]:
    below = request.path.relative_to(TOP / "tests").parts
    if below[0] not in WATCHED:
        yield
        return
    request.getfixturevalue("_adopting")
    before = leak.inventory()
    yield
    left = leak.more(before, leak.inventory())
    leak.kill(left)
    unexpected = {kind: sorted(left[kind]) for kind in left if kind not in _allowed(request)}
    if unexpected:
        pytest.fail(f"left behind: {unexpected}")


def _allowed(request: pytest.FixtureRequest) -> set[str]:
    markers = request.node.iter_markers("leaves")
    return {str(what) for marker in markers for what in marker.args}
