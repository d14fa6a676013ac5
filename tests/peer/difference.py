# SPDX-License-Identifier: Apache-2.0
"""What is not the same in two outcomes of one config."""

import re
from dataclasses import dataclass

from tests.peer.runtime import Config, Json, Outcome


@dataclass(frozen=True)
class Difference:
    """One fact that is not the same; a fact that only one of them has is "" with the other."""

    config: Config
    key: str
    ours: str
    theirs: str

    def words(self) -> set[str]:
        """Give the words that only one of the two has."""
        return set(re.split("[ ,]", self.ours)) ^ set(re.split("[ ,]", self.theirs))

    def field(self, *path: str) -> Json:
        """Give a field of the config, or None."""
        value: Json = self.config
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def place(self) -> str:
        """Give the mount point of a fact about a mount."""
        return self.key.removeprefix("mount ").rpartition(" ")[0]

    def all_options(self) -> list[set[str]]:
        """Give the options of all mounts."""
        mounts = self.config.get("mounts")
        assert isinstance(mounts, list)
        return [set(listed(m.get("options"))) for m in mounts if isinstance(m, dict)]

    def mount_options(self) -> set[str]:
        """Give the options of the mount that the key of a fact about a mount names.

        What else lies there, a read-only path perhaps, has those of the last mount below it.
        """
        place = self.place().strip("/")
        mounts = self.config.get("mounts")
        assert isinstance(mounts, list)
        found = [
            set(listed(mount.get("options")))
            for mount in mounts
            if isinstance(mount, dict) and str(mount["destination"]).strip("/") == place
        ]
        number = int(self.key.rpartition("#")[2])
        return found[min(number, len(found)) - 1] if found else set()


def listed(value: Json) -> list[str]:
    """Give a list of strings of a config, or an empty one."""
    return [str(item) for item in value] if isinstance(value, list) else []


def differences(config: Config, ours: Outcome, theirs: Outcome) -> list[Difference]:
    """Compare what two runtimes made of the same config."""
    if bool(ours.code) != bool(theirs.code):
        texts = [run.errors.strip() if run.code else "accepted" for run in (ours, theirs)]
        return [Difference(config, "outcome", *texts)]
    keys = ours.facts.keys() | theirs.facts.keys()
    pairs = ((key, ours.facts.get(key, ""), theirs.facts.get(key, "")) for key in sorted(keys))
    found = [Difference(config, *pair) for pair in pairs if pair[1] != pair[2]]
    # If one of them does not let a second process in, there is nothing else to compare of it.
    if any(one.key == "exec outcome" for one in found):
        found = [one for one in found if one.key in ("exec outcome", "exec errors")]
    return found
