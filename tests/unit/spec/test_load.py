# SPDX-License-Identifier: Apache-2.0
import _json
import subprocess
import sys

import pytest

from ocirun.errors import SpecError
from ocirun.spec import load


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (
            b' \r\n\t{"a": [1, -2, 1.5, true, false, null, "x"]}\n ',
            {"a": [1, -2, 1.5, True, False, None, "x"]},
        ),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        ('{"ä": "\\u00e4\\ud83d\\ude00€"}'.encode(), {"ä": "ä😀€"}),
        (b'{"a": 18446744073709551615}', {"a": (1 << 64) - 1}),
        (b'{"a": ' * load.MAX_DEPTH + b"1" + b"}" * load.MAX_DEPTH, None),
        (b'{"a": "{{{{[[[["}', {"a": "{{{{[[[["}),
        (b'{"a": "' + b"{" * 1000 + b'"}', {"a": "{" * 1000}),
    ],
)
def test_parse_good(data: bytes, value: object) -> None:
    parsed = load.parse(data, "config.json")
    assert value is None or parsed == value


def test_integers_and_floats_stay_apart() -> None:
    parsed = load.parse(b'{"a": 1, "b": 1.0, "c": 1e3}', "config.json")
    assert [type(value) for value in parsed.values()] == [int, float, float]


@pytest.mark.parametrize("data", [b"[]", b"null", b'"x"', b"1", b"true"])
def test_parse_refuses_what_is_not_an_object(data: bytes) -> None:
    with pytest.raises(SpecError, match=r"^parse config.json: the document is not a JSON object$"):
        load.parse(data, "config.json")


def test_parse_works_where_the_private_scanner_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    # _json is private to CPython and may change: then the standard library takes over.
    monkeypatch.delattr(_json, "make_scanner")
    sys.modules.pop("json.scanner", None)
    assert load.parse(b'{"a": 1}', "config.json") == {"a": 1}


def test_a_good_document_costs_no_dear_import() -> None:
    # design: core modules of the interpreter, _json, and ours; nothing else.
    source = load.__file__.removesuffix("ocirun/spec/load.py")
    program = (
        f"import sys; before = set(sys.modules); sys.path.insert(0, {source!r})\n"
        "from ocirun.spec import encode, load, template, validate\n"
        "text = template.text(rootless=False, euid=0, egid=0, cgroup2=True)\n"
        "encode.dumps(validate.validate(load.parse(text.encode(), 'config.json')))\n"
        "print(*sorted(set(sys.modules) - before), sep='\\n')"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert [name for name in names if not name.startswith("ocirun")] == ["_json"]
    assert not {"ocirun.spec.malformed", "ocirun.spec.mismatch", "ocirun.spec.model"} & set(names)
