# SPDX-License-Identifier: Apache-2.0
"""`ocirun features`: what this runtime can do, for engines (runtime-spec, features.md)."""

from ocirun.cli.call import write
from ocirun.engine import seccomp_profile as profile
from ocirun.linux import capability, mount
from ocirun.spec import encode, features

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(_: "Call") -> int:
    """Print the document."""
    write(encode.dumps_indented(document(), "    ") + "\n")
    return 0


def document() -> dict[str, object]:
    """Gather the document; it says what ocirun can do, not what this host allows."""
    return features.document(
        mount_options=mount_options(),
        capabilities=capability.NAMES,
        seccomp=_seccomp(),
        annotations={"org.opencontainers.runc.checkpoint.enabled": "true"},
    )


def _seccomp() -> dict[str, list[str]]:
    return {
        "actions": profile.actions(),
        "operators": profile.operators(),
        "archs": profile.architectures(),
        "knownFlags": profile.flags(),
        "supportedFlags": profile.flags(),
    }


def mount_options() -> set[str]:
    """Gather the words that a mount can have, but for those that its filesystem takes."""
    recursive = {f"r{word}" for word in mount.ATTRIBUTES}
    others = {"bind", "rbind", "idmap", "ridmap", "tmpcopyup"}
    plain = {*mount.ATTRIBUTES, *mount.PROPAGATION, *mount.SUPERBLOCK, *mount.WITHOUT_EFFECT}
    return (plain | recursive | others) - {""}
