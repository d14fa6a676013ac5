# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from ocirun.spec import load, template, validate


@pytest.mark.parametrize("rootless", [False, True])
@pytest.mark.parametrize("cgroup2", [False, True])
def test_template_is_valid(rootless: bool, cgroup2: bool) -> None:  # noqa: FBT001
    text = template.text(rootless=rootless, euid=1000, egid=1001, cgroup2=cgroup2)
    spec = validate.validate(load.parse(text.encode(), "config.json"))
    assert spec == template.document(rootless=rootless, euid=1000, egid=1001, cgroup2=cgroup2)


def test_text_has_tabs_and_no_newline_at_the_end() -> None:
    text = template.text(rootless=False, euid=0, egid=0, cgroup2=False)
    assert text.startswith('{\n\t"ociVersion": "1.3.0",\n\t"process": {\n\t\t"terminal": true,\n')
    assert text.endswith("\n\t}\n}")
    assert text == json.dumps(json.loads(text), indent="\t")


def test_rootless_differs_where_it_must() -> None:
    plain = template.document(rootless=False, euid=0, egid=0, cgroup2=True)
    rootless = template.document(rootless=True, euid=1000, egid=1001, cgroup2=True)
    kinds = [namespace["type"] for namespace in plain["linux"]["namespaces"]]
    assert kinds == ["pid", "network", "ipc", "uts", "mount", "cgroup"]
    kinds = [namespace["type"] for namespace in rootless["linux"]["namespaces"]]
    assert kinds == ["pid", "ipc", "uts", "mount", "cgroup", "user"]
    assert rootless["linux"]["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert rootless["linux"]["gidMappings"] == [{"containerID": 0, "hostID": 1001, "size": 1}]
    assert "resources" in plain["linux"]
    assert "resources" not in rootless["linux"]
    assert "gid=5" in plain["mounts"][2]["options"]
    assert "gid=5" not in rootless["mounts"][2]["options"]
    assert rootless["mounts"][5] == {
        "destination": "/sys",
        "type": "none",
        "source": "/sys",
        "options": ["rbind", "nosuid", "noexec", "nodev", "ro"],
    }
    assert plain["process"] == rootless["process"]
