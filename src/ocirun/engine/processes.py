# SPDX-License-Identifier: Apache-2.0
"""Which processes are in a container."""

from ocirun.engine import kill, state as states


def pids(root: str, container_id: str) -> list[int]:
    """Give the pids of all processes in the container, as the caller sees them."""
    state = states.load_state(root, container_id)
    return sorted(kill.pids_left(state))
