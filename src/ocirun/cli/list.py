# SPDX-License-Identifier: Apache-2.0
"""`ocirun list`: all containers below one state root, as a table, as JSON, or only their IDs."""

from ocirun.cli.call import write
from ocirun.cli.failure import describe
from ocirun.engine import state, status
from ocirun.errors import OcirunError, UsageError
from ocirun.spec import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.cli.call import Call

TITLES = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")
KEYS = ("id", "pid", "status", "bundle", "created", "owner")
MIN_WIDTH = 12
PADDING = 3


def invoke(call: "Call") -> int:
    """Print the containers."""
    style = call.options.text("format", "table")
    if style not in {"table", "json"}:
        raise UsageError("invalid format option", "use table or json")
    documents = _documents(call)
    if call.options.switch("quiet"):
        write("".join(f"{document['id']}\n" for document in documents))
    elif style == "json":
        # runc's word for none: an empty slice of Go.
        write((encode.dumps(documents) if documents else "null") + "\n")
    else:
        rows = [[str(document[key]) for key in KEYS] for document in documents]
        write(table([list(TITLES), *rows]))
    return 0


def _documents(call: "Call") -> "list[dict[str, object]]":
    root = call.root()
    try:
        ids = state.ids(root)
    except FileNotFoundError:
        # Nothing was ever made below the default root; a root that was named must be there.
        if call.globals.given("root"):
            raise
        return []
    documents = []
    for name in ids:
        try:
            found = state.load_state(root, name)
            documents.append({**status.document(found), "owner": user_name(found.owner)})
        except OcirunError as error:
            call.journal.warning(describe(error))  # it names the container
        except OSError as error:
            call.journal.warning(f"load container {name}: {describe(error)}")
    return documents


def user_name(uid: int) -> str:
    """Look up the name of a user of this host; #UID if there is none."""
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def table(rows: list[list[str]]) -> str:
    """Lay out rows as Go's tabwriter does: all columns but the last are padded."""
    widths = [
        max(MIN_WIDTH, *(len(cell) + PADDING for cell in column))
        for column in zip(*rows, strict=True)
    ]
    widths[-1] = 0
    return "".join(
        "".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + "\n"
        for row in rows
    )
