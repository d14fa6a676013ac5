# SPDX-License-Identifier: Apache-2.0
import pytest

from ocirun.spec import schema


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (schema.UINT16, 0, 65535),
        (schema.UINT32, 0, 4294967295),
        (schema.UINT64, 0, 18446744073709551615),
        (schema.INT32, -2147483648, 2147483647),
        (schema.INT64, -9223372036854775808, 9223372036854775807),
        (schema.ID, 0, 4294967294),
    ],
)
def test_bounds(kind: range, least: int, most: int) -> None:
    assert least in kind
    assert most in kind
    assert least - 1 not in kind
    assert most + 1 not in kind


def test_tables_hold_only_kinds() -> None:
    kinds: list[object] = [schema.SPEC]
    while kinds:
        kind = kinds.pop()
        if isinstance(kind, list):
            assert len(kind) == 1
            kinds.extend(kind)
        elif isinstance(kind, dict):
            assert str not in kind or len(kind) == 1
            kinds.extend(kind.values())
        elif isinstance(kind, tuple):
            assert len(set(kind)) == len(kind)
        else:
            assert kind in (str, bool, schema.TEXT) or isinstance(kind, range)
