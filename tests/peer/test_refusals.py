# SPDX-License-Identifier: Apache-2.0
"""What is wrong is refused, as runc does or docs/validation.md says why not, and leaves nothing."""

import re

import pytest
from tests.peer.conftest import Pair
from tests.peer.mutations import Mutation, mutations
from tests.peer.refusals import ROWS, explained
from tests.peer.runtime import Outcome
from tests.repository import read

#: a field of config.json by its path, or words that programs look for (docs/errors.md)
FIELD = re.compile(
    r"\b(ociVersion|root|hostname|domainname|process|mounts|hooks|annotations|linux)(\W|$)"
    r"|running \w+ hook #\d|exec: "
)


def _select(pair: Pair, wanted: int) -> list[Mutation]:
    """Take so many of them, spread over all fields."""
    known = list(mutations(pair.knows))
    stride = max(1, len(known) // wanted)
    return known[pair.seed % stride :: stride][:wanted]


def _faults(outcome: Outcome) -> list[str]:
    """Give what is wrong with how ocirun answered."""
    lines = [
        line for line in outcome.errors.splitlines() if not line.startswith("ocirun: warning: ")
    ]
    faults = [f"left behind: {what}" for what in outcome.left]
    if not outcome.code:
        return faults + [f"printed: {line}" for line in lines]
    if len(lines) != 1 or not lines[0].startswith("ocirun: error: "):
        faults.append("not one line")
    elif "internal error" in lines[0]:
        faults.append("a mistake of ours")
    elif not FIELD.search(lines[0]):
        faults.append("names no field")
    return faults


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_what_is_wrong_is_refused(pair: Pair) -> None:
    pair.must_be_new()
    found = []
    refused = 0
    for mutation in _select(pair, pair.number(100)):
        ours = pair.ours.refuse(mutation.text)
        theirs = pair.theirs.refuse(mutation.text)
        refused += bool(ours.code)
        faults = _faults(ours)
        if bool(ours.code) != bool(theirs.code) and not explained(ours, theirs):
            faults.append(f"the peer: {theirs.errors.strip()[-400:] or 'accepted'}")
        if faults:
            text = [f"{mutation.path}: {mutation.what}", ours.errors.strip() or "accepted", *faults]
            found.append("\n  ".join(text))
    assert not found, "\n".join(found)
    assert refused


def test_every_reason_is_in_the_document() -> None:
    lines = read("docs/validation.md").splitlines()
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert names[1:] == [row.name for row in ROWS]
