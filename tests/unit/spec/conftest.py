# SPDX-License-Identifier: Apache-2.0
"""A good configuration, and what is said when one field of it is changed."""

import pytest

from ocirun.errors import SpecError
from ocirun.spec import template, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Refusal = Callable[[str, object], str | None]


def put(document: dict[str, object], path: str, value: object) -> None:
    """Set a field by a path such as linux/namespaces/0/type, making what is missing on the way."""
    holder: object = document
    *steps, last = path.split("/")
    for step in steps:
        if isinstance(holder, list):
            holder = holder[int(step)]
        else:
            assert isinstance(holder, dict)
            holder = holder.setdefault(step, {})
    if isinstance(holder, list):
        holder[int(last)] = value
    else:
        assert isinstance(holder, dict)
        holder[last] = value


@pytest.fixture
def document() -> dict[str, object]:
    spec = template.document(rootless=False, euid=0, egid=0, cgroup2=True)
    return dict(spec)


@pytest.fixture
def refusal(document: dict[str, object]) -> "Refusal":
    """Give a function: change one field, validate, and get the message, or None."""

    def change(path: str, value: object) -> str | None:
        put(document, path, value)
        try:
            validate.validate(document)
        except SpecError as error:
            return error.message
        return None

    return change
