# SPDX-License-Identifier: Apache-2.0
"""Reading a bundle: whatever lies there, the answer is one line and comes at once."""

import json
import os
from pathlib import Path

import pytest

from ocirun.engine import bundle as bundles
from ocirun.errors import KernelError, SpecError
from ocirun.spec.model import Spec


@pytest.fixture
def bundle(tmp_path: Path, document: Spec) -> Path:
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(document))
    return tmp_path


def test_config(bundle: Path, document: Spec) -> None:
    spec, data = bundles.read_config(str(bundle))
    assert spec == document
    assert data == (bundle / "config.json").read_bytes()


@pytest.mark.parametrize(
    ("old", "new"), [('"readonly"', '"ReadOnly"'), ('"root"', '"hooks": null, "root"')]
)
def test_what_is_kept_needs_no_second_check(
    bundle: Path, document: Spec, old: str, new: str
) -> None:
    text = json.dumps({**document, "root": {"path": "rootfs", "readonly": True}})
    assert old in text
    (bundle / "config.json").write_text(text.replace(old, new))
    spec, data = bundles.read_config(str(bundle))
    assert spec["root"] == {"path": "rootfs", "readonly": True}
    assert "hooks" not in spec
    assert json.loads(data) == spec


def test_number_that_cannot_be_written_again(bundle: Path, document: Spec) -> None:
    text = json.dumps({**document, "hooks": None, "more": 1}).replace('"more": 1', '"more": 1e999')
    (bundle / "config.json").write_text(text)
    assert refusal(bundle).endswith("config.json: a number is too large")


def refusal(bundle: Path | str) -> str:
    with pytest.raises((SpecError, KernelError)) as raised:
        bundles.read_config(str(bundle))
    assert "\n" not in raised.value.message
    return raised.value.message


def test_no_bundle() -> None:
    assert refusal("/nothing") == "bundle /nothing: no such directory"


@pytest.mark.parametrize("kind", ["nothing", "directory", "fifo", "link to itself", "device"])
def test_no_config(bundle: Path, kind: str) -> None:
    path = bundle / "config.json"
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind != "nothing":
        path.symlink_to("config.json")
    assert str(path) in refusal(bundle)


def test_endless_config(bundle: Path) -> None:
    os.truncate(bundle / "config.json", bundles.SIZE_MAX + 1)
    assert refusal(bundle).endswith("larger than 16 MiB")


def test_path_that_is_no_utf_8() -> None:
    """The state of such a container could be written but not read."""
    assert refusal("/tmp/a\udcff") == r"bundle '/tmp/a\udcff': the path is not valid UTF-8"


def test_root(bundle: Path, document: Spec) -> None:
    assert bundles.find_rootfs(document, str(bundle)) == f"{bundle}/rootfs"
    document["root"]["path"] = f"{bundle}/./x/../rootfs/"
    assert bundles.find_rootfs(document, "/elsewhere") == f"{bundle}/rootfs"


@pytest.mark.parametrize("path", ["nothing", "config.json", "link", "/", "/..", "/x/.."])
def test_no_root(bundle: Path, document: Spec, path: str) -> None:
    (bundle / "link").symlink_to("rootfs")
    document["root"]["path"] = path
    with pytest.raises(SpecError, match=r"^root.path: "):
        bundles.find_rootfs(document, str(bundle))
