# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ocirun.errors import SpecError
from ocirun.spec import schema, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Refusal = Callable[[str, object], str | None]

IDS = [{"containerID": 0, "hostID": 1000, "size": 1}]
BIND = {"destination": "/x", "source": "/y", "type": "none", "options": ["bind"]}

REFUSED = [
    ("ociVersion", "", 'ociVersion: expected a version such as 1.3.0, found ""'),
    ("ociVersion", "1.0", 'ociVersion: expected a version such as 1.3.0, found "1.0"'),
    ("ociVersion", "v1.0.0", 'ociVersion: expected a version such as 1.3.0, found "v1.0.0"'),
    ("ociVersion", "1.0.x", 'ociVersion: expected a version such as 1.3.0, found "1.0.x"'),
    (
        "ociVersion",
        "1.\u0660.0",
        'ociVersion: expected a version such as 1.3.0, found "1.\u0660.0"',
    ),
    ("ociVersion", "2.0.0", 'ociVersion: expected a version 1.x, found "2.0.0"'),
    ("ociVersion", "0.9.0", 'ociVersion: expected a version 1.x, found "0.9.0"'),
    ("ociVersion", 1, "ociVersion: expected a string, found 1"),
    ("ociVersion", None, "ociVersion: required, but missing"),
    ("root", None, "root: required, but missing"),
    ("root", "rootfs", "root: expected an object, found a string"),
    ("root", {}, "root.path: required, but missing"),
    ("root/path", "", "root.path: must not be empty"),
    ("root/path", "a\0b", "root.path: contains a NUL byte"),
    ("root/readonly", 1, "root.readonly: expected true or false, found 1"),
    ("root/readonly", "true", 'root.readonly: expected true or false, found "true"'),
    ("hostname", 5, "hostname: expected a string, found 5"),
    ("hostname", "a\0b", "hostname: contains a NUL byte"),
    ("process", [], "process: expected an object, found a list"),
    ("process/args", None, "process.args: must not be empty"),
    ("process/args", [], "process.args: must not be empty"),
    ("process/args", "sh", "process.args: expected a list of strings, found a string"),
    ("process/args", ["sh", 1], "process.args[1]: expected a string, found 1"),
    ("process/args", ["sh", None], "process.args[1]: expected a string, found null"),
    ("process/args", ["sh", "a\0"], "process.args[1]: contains a NUL byte"),
    ("process/cwd", None, "process.cwd: required, but missing"),
    ("process/cwd", "", 'process.cwd: expected an absolute path, found ""'),
    ("process/cwd", "tmp", 'process.cwd: expected an absolute path, found "tmp"'),
    ("process/env", ["A=1", "B"], 'process.env[1]: expected NAME=value, found "B"'),
    ("process/env", ["=1"], 'process.env[0]: expected NAME=value, found "=1"'),
    ("process/env", {"A": "1"}, "process.env: expected a list of strings, found an object"),
    ("process/user/uid", "root", 'process.user.uid: expected an integer, found "root"'),
    ("process/user/uid", 1.0, "process.user.uid: expected an integer, found 1.0"),
    ("process/user/uid", True, "process.user.uid: expected an integer, found true"),
    (
        "process/user/uid",
        -1,
        "process.user.uid: expected an integer between 0 and 4294967294, found -1",
    ),
    (
        "process/user/gid",
        4294967295,
        "process.user.gid: expected an integer between 0 and 4294967294, found 4294967295",
    ),
    (
        "process/user/additionalGids",
        [1, "2"],
        'process.user.additionalGids[1]: expected an integer, found "2"',
    ),
    (
        "process/user/additionalGids",
        7,
        "process.user.additionalGids: expected a list of integers, found a number",
    ),
    (
        "process/capabilities",
        ["CAP_KILL"],
        "process.capabilities: expected an object, found a list",
    ),
    (
        "process/capabilities/ambient",
        "CAP_KILL",
        "process.capabilities.ambient: expected a list of strings, found a string",
    ),
    ("process/rlimits/0/type", "RLIMIT_X", 'process.rlimits[0].type: unknown value "RLIMIT_X"'),
    ("process/rlimits/0/soft", None, "process.rlimits[0].soft: required, but missing"),
    ("process/rlimits/0/soft", 2000, "process.rlimits[0].soft: 2000 is above the hard limit 1024"),
    (
        "process/rlimits",
        [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2,
        "process.rlimits[1].type: RLIMIT_CPU is given twice",
    ),
    ("process/consoleSize", {"width": 80}, "process.consoleSize.height: required, but missing"),
    (
        "process/consoleSize",
        {"width": 65536, "height": 24},
        "process.consoleSize.width: expected an integer between 0 and 65535, found 65536",
    ),
    (
        "process/oomScoreAdj",
        1001,
        "process.oomScoreAdj: expected an integer between -1000 and 1000, found 1001",
    ),
    ("process/scheduler", {}, "process.scheduler.policy: required, but missing"),
    (
        "process/scheduler",
        {"policy": "SCHED_X"},
        'process.scheduler.policy: unknown value "SCHED_X"',
    ),
    (
        "process/scheduler",
        {"policy": "SCHED_OTHER", "nice": 20},
        "process.scheduler.nice: expected an integer between -20 and 19, found 20",
    ),
    (
        "process/scheduler",
        {"policy": "SCHED_BATCH", "priority": 1},
        "process.scheduler.priority: only for SCHED_FIFO and SCHED_RR, not SCHED_BATCH",
    ),
    (
        "process/scheduler",
        {"policy": "SCHED_FIFO", "deadline": 1},
        "process.scheduler.deadline: only for SCHED_DEADLINE, not SCHED_FIFO",
    ),
    (
        "process/scheduler",
        {"policy": "SCHED_FIFO", "flags": ["SCHED_FLAG_X"]},
        'process.scheduler.flags[0]: unknown value "SCHED_FLAG_X"',
    ),
    ("process/ioPriority", {"priority": 1}, "process.ioPriority.class: required, but missing"),
    (
        "process/ioPriority",
        {"class": "IOPRIO_CLASS_RT", "priority": 8},
        "process.ioPriority.priority: expected an integer between 0 and 7, found 8",
    ),
    (
        "process/execCPUAffinity",
        {"initial": "0-"},
        'process.execCPUAffinity.initial: expected numbers and ranges such as 0-3,7, found "0-"',
    ),
    ("mounts", {}, "mounts: expected a list of objects, found an object"),
    ("mounts", [{"type": "proc"}], "mounts[0].destination: required, but missing"),
    ("mounts/1/destination", "", "mounts[1].destination: must not be empty"),
    ("mounts/1/options", "ro", "mounts[1].options: expected a list of strings, found a string"),
    ("mounts/1/source", "a\0", "mounts[1].source: contains a NUL byte"),
    (
        "mounts/1",
        {**BIND, "uidMappings": IDS},
        "mounts[1]: needs both uidMappings and gidMappings, or neither",
    ),
    (
        "mounts/1",
        {**BIND, "gidMappings": IDS, "uidMappings": []},
        "mounts[1]: needs both uidMappings and gidMappings, or neither",
    ),
    (
        "mounts/1",
        {**BIND, "options": ["rbind", "ridmap"]},
        "mounts[1]: an id-mapped mount needs uidMappings and gidMappings",
    ),
    (
        "mounts/1",
        {**BIND, "options": ["ro"], "uidMappings": IDS, "gidMappings": IDS},
        "mounts[1]: only a bind mount can be id-mapped",
    ),
    (
        "mounts/1",
        {**BIND, "uidMappings": IDS, "gidMappings": [{**IDS[0], "size": 0}]},
        "mounts[1].gidMappings[0].size: must not be 0",
    ),
    ("hooks/poststop", {}, "hooks.poststop: expected a list of objects, found an object"),
    ("hooks/prestart", [{"args": ["x"]}], "hooks.prestart[0].path: required, but missing"),
    (
        "hooks/createRuntime",
        [{"path": "/a"}, {"path": "b"}],
        'hooks.createRuntime[1].path: expected an absolute path, found "b"',
    ),
    (
        "hooks/poststart",
        [{"path": "/a", "timeout": 0}],
        "hooks.poststart[0].timeout: expected an integer between 1 and 9223372036854775807, found 0",
    ),
    (
        "hooks/startContainer",
        [{"path": "/a", "timeout": 1.5}],
        "hooks.startContainer[0].timeout: expected an integer, found 1.5",
    ),
    ("annotations/", "x", "annotations: a key must not be empty"),
    ("annotations/a.b", 1, 'annotations["a.b"]: expected a string, found 1'),
    ("annotations/a.b", None, 'annotations["a.b"]: expected a string, found null'),
    ("windows", [], "windows: expected an object, found a list"),
    ("linux", "x", "linux: expected an object, found a string"),
]

ACCEPTED: list[tuple[str, object]] = [
    ("ociVersion", "1.0.2-dev"),
    ("ociVersion", "1.0.0-rc5"),
    ("ociVersion", "1.9.0+build.7"),
    ("process", None),
    ("process/user", None),
    ("process/env", []),
    ("process/env", ["A=", "B==", "C=a=b"]),
    ("process/capabilities/bounding", ["CAP_OF_A_LATER_KERNEL"]),
    ("process/capabilities", {}),
    ("process/oomScoreAdj", -1000),
    ("process/scheduler", {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}),
    ("process/scheduler", {"policy": "SCHED_OTHER", "nice": -20, "priority": 0}),
    ("process/scheduler", {"policy": "SCHED_RR", "priority": 99}),
    ("process/ioPriority", {"class": "IOPRIO_CLASS_IDLE"}),
    ("process/execCPUAffinity", {"initial": "0-1", "final": ""}),
    ("process/commandLine", "cmd"),
    ("root/path", "/"),
    ("mounts", []),
    ("mounts/1/destination", "relative"),
    ("mounts/1", {**BIND, "uidMappings": IDS, "gidMappings": IDS}),
    ("mounts/1", {**BIND, "uidMappings": [], "gidMappings": []}),
    ("hooks/prestart", [{"path": "/a", "args": [], "env": [], "timeout": 1}]),
    ("hooks/later", "an unknown field"),
    ("hooks", {}),
    ("annotations/a", "may hold a \0"),
    ("domainname", "example"),
    ("windows", {"layerFolders": [None]}),
    ("vm", {"hwConfig": {}}),
    ("zos", {}),
    ("solaris", {}),
    ("freebsd", {}),
    ("later", {"unknown": 1.5}),
    ("linux", {"namespaces": [{"type": "uts"}]}),
]


@pytest.mark.parametrize(("path", "value", "message"), REFUSED)
def test_refused(refusal: "Refusal", path: str, value: object, message: str) -> None:
    assert refusal(path, value) == message


@pytest.mark.parametrize(("path", "value"), ACCEPTED)
def test_accepted(refusal: "Refusal", path: str, value: object) -> None:
    assert refusal(path, value) is None


@pytest.mark.parametrize("name", ["hostname", "domainname"])
def test_names_need_a_uts_namespace(document: dict[str, object], name: str) -> None:
    bare: dict[str, object] = {"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {}}
    validate.validate({**bare, name: ""})
    with pytest.raises(SpecError, match=f"^{name}: needs a uts namespace$"):
        validate.validate({**bare, name: "box"})
    validate.validate({**document, name: "box"})


def test_impossible_console_size_is_ignored_without_a_terminal() -> None:
    size = {"width": 1 << 40, "height": 1}
    wanted = {"args": ["sh"], "cwd": "/", "consoleSize": size}
    validate.validate_process({**wanted, "terminal": False})
    validate.validate_process(dict(wanted))
    with pytest.raises(SpecError, match=r"^consoleSize\.width: "):
        validate.validate_process({**wanted, "terminal": True})


def test_idmap_without_mappings_takes_those_of_the_user_namespace(
    document: dict[str, object],
) -> None:
    document["mounts"] = [{**BIND, "options": ["rbind", "idmap"]}]
    document["linux"] = {
        "namespaces": [{"type": "user"}, {"type": "uts"}],
        "uidMappings": IDS,
        "gidMappings": IDS,
    }
    validate.validate(document)


def test_null_is_absent_and_dropped(document: dict[str, object]) -> None:
    # So says Go's decoder, and so read all engines; None would break the promised types.
    document["hooks"] = None
    document["linux"] = {"seccomp": None, "namespaces": [{"type": "uts", "path": None}]}
    document["unknown"] = None
    validate.validate(document)
    assert "hooks" not in document
    assert document["linux"] == {"namespaces": [{"type": "uts"}]}
    assert document["unknown"] is None


def test_smallest_configuration() -> None:
    smallest = {"ociVersion": "1.0.0", "root": {"path": "rootfs"}}
    assert validate.validate(dict(smallest)) == smallest


def test_the_hint_lists_the_known_words(document: dict[str, object]) -> None:
    document["linux"] = {"rootfsPropagation": "x"}
    with pytest.raises(SpecError) as caught:
        validate.validate(document)
    assert caught.value.hint.startswith("known are private, rprivate, shared, ")
    assert not caught.value.hint.endswith(", ")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"cwd": "/"}, "args: must not be empty"),
        ({"args": ["sh"]}, "cwd: required, but missing"),
        ({"args": ["sh"], "cwd": "."}, 'cwd: expected an absolute path, found "."'),
        ({"args": ["sh"], "cwd": "/", "user": 0}, "user: expected an object, found a number"),
    ],
)
def test_process_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate.validate_process(document)
    assert caught.value.message == message


def test_process_accepted() -> None:
    document: dict[str, object] = {"args": ["sh"], "cwd": "/", "env": ["A=1"], "later": None}
    assert validate.validate_process(document) is document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"memory": {"limit": "a"}}, 'memory.limit: expected an integer, found "a"'),
        ({"memory": {"limit": 1e3}}, "memory.limit: expected an integer, found 1000.0"),
        ({"unified": {"a/b": "1"}}, 'unified["a/b"]: must be a file name (no slashes)'),
    ],
)
def test_resources_refused(document: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate.validate_resources(document)
    assert caught.value.message == message


def test_resources_accepted() -> None:
    document: dict[str, object] = {"memory": {"limit": -1}, "pids": {}, "cpu": None}
    assert validate.validate_resources(document) == {"memory": {"limit": -1}, "pids": {}}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=4,
)


def values(kind: object) -> st.SearchStrategy[object]:
    """Values of a kind, with now and then one that is not."""
    if isinstance(kind, range):
        good: st.SearchStrategy[object] = st.integers(kind.start, kind.stop - 1)
    elif isinstance(kind, tuple):
        good = st.sampled_from(kind)
    elif isinstance(kind, list):
        good = st.lists(values(kind[0]), max_size=2)
    elif isinstance(kind, dict):
        good = objects(kind)
    else:
        good = st.booleans() if kind is bool else st.sampled_from(["", "/a", "A=1", "0-1", "x.y"])
    return st.integers(0, 60).flatmap(lambda dice: good if dice else JSON)


def objects(kind: object) -> st.SearchStrategy[dict[str, object]]:
    assert isinstance(kind, dict)
    if str in kind:
        return st.dictionaries(st.sampled_from(["a", "net.x", "/", ""]), values(kind[str]))
    required = kind.get(None, ())
    assert isinstance(required, tuple)
    fields = {name: values(field) for name, field in kind.items() if name is not None}
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


@settings(suppress_health_check=list(HealthCheck))
@given(objects(schema.SPEC))
def test_any_document_is_taken_or_refused_in_one_line(document: dict[str, object]) -> None:
    try:
        validate.validate({"root": {"path": "/"}, **document, "ociVersion": "1.3.0"})
    except SpecError as error:
        assert ": " in str(error)  # noqa: PT017 - most are refused, some are not
        assert "\n" not in str(error)  # noqa: PT017
