# SPDX-License-Identifier: Apache-2.0
"""The mount options in the features document are those that a mount understands."""

from ocirun.cli.features import mount_options
from ocirun.linux.mount import Options


def test_no_known_word_is_left_to_the_filesystem() -> None:
    assert Options(sorted(mount_options())).data == []
