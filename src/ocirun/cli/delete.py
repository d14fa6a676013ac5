# SPDX-License-Identifier: Apache-2.0
"""`ocirun delete`: remove a container and all that was made for it."""

from ocirun.engine.delete import delete

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call


def invoke(call: "Call") -> int:
    """Delete the container."""
    force = call.options.switch("force")
    if call.options.switch("regex"):
        from ocirun.cli import several

        return several.each(call, lambda name: _delete(call, name, force=force))
    _delete(call, call.id, force=force)
    return 0


def _delete(call: "Call", name: str, *, force: bool) -> None:
    delete(call.root(), name, force=force, warn=call.journal.warning)
