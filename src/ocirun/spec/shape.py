# SPDX-License-Identifier: Apache-2.0
"""Check that values have the kinds that schema.py gives them.

Unknown fields are ignored (config.md, Extensibility).  A field that is null
counts as absent, as it does for every tool written in Go, and is dropped from
the document: nobody below meets None where the types promise a value.  Go takes
keys in any case, too: see spelling.py.  Nothing here knows what a field means.
"""

from ocirun.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.schema import Kind


class _OtherSpelling(Exception):  # noqa: N818 - no error: it leads to another reading
    """A key differs from one that is known by upper and lower case alone."""


def check(value: object, kind: "Kind", path: str) -> object:
    """Raise SpecError, naming the field by its path, unless the value is of the kind.

    The same object comes back, but for keys in another case: then a copy with the right ones.
    """
    try:
        CHECKS[type(kind)](value, kind, path, "")
    except _OtherSpelling:
        from ocirun.spec import spelling

        value = spelling.corrected(value, kind, path)
        CHECKS[type(kind)](value, kind, path, "")
    return value


# Each check gets the path of the parent and the last step apart: joined only for an error.
# CHECKS picks it by the sort of kind, so that the asserts speak to the type checker alone.


def _check_type(value: object, kind: "Kind", path: str, step: str) -> None:
    if type(value) is not kind:
        raise _mismatch(value, kind, path, step)
    if type(value) is str and "\0" in value:
        raise SpecError(f"{_join(path, step)}: contains a NUL byte")


def _check_text(value: object, kind: "Kind", path: str, step: str) -> None:
    if type(value) is not str:
        raise _mismatch(value, kind, path, step)


def _check_integer(value: object, kind: "Kind", path: str, step: str) -> None:
    assert type(kind) is range
    # True is an int for isinstance, and 1.0 is in range(2): the type comes first.
    if type(value) is not int or value not in kind:
        raise _mismatch(value, kind, path, step)


def _check_word(value: object, kind: "Kind", path: str, step: str) -> None:
    assert type(kind) is tuple
    if type(value) is not str or value not in kind:
        raise _mismatch(value, kind, path, step)


def _check_list(value: object, kind: "Kind", path: str, step: str) -> None:
    assert type(kind) is list
    if type(value) is not list:
        raise _mismatch(value, kind, path, step)
    each = kind[0]
    check_each = CHECKS[type(each)]
    path = _join(path, step)
    for index, item in enumerate(value):
        check_each(item, each, path, f"[{index}]")


def _check_object(value: object, kind: "Kind", path: str, step: str) -> None:
    assert type(kind) is dict
    if type(value) is not dict:
        raise _mismatch(value, kind, path, step)
    path = _join(path, step)
    if str in kind:
        _check_map(value, kind[str], path)
        return
    if None in value.values():
        for name in [name for name in value if value[name] is None and name in kind]:
            del value[name]
    for name, item in value.items():
        field = kind.get(name)
        if field is not None:
            CHECKS[type(field)](item, field, path, name)
        elif name.lower() in [known.lower() for known in kind if type(known) is str]:
            raise _OtherSpelling
    required = kind.get(None, ())
    assert type(required) is tuple
    for name in required:
        if name not in value:
            raise SpecError(f"{_join(path, name)}: required, but missing")


def _check_map(value: "dict[str, object]", each: "Kind", path: str) -> None:
    check_each = CHECKS[type(each)]
    for key, item in value.items():
        if "\0" in key and check_each is not _check_text:
            raise SpecError(f"{path}: a key contains a NUL byte")
        check_each(item, each, path, f'["{key}"]')


CHECKS = {
    type: _check_type,
    str: _check_text,
    range: _check_integer,
    tuple: _check_word,
    list: _check_list,
    dict: _check_object,
}


def require_absolute(value: str, path: str) -> None:
    """Refuse a relative path where the spec wants an absolute one."""
    if not value.startswith("/"):
        raise unexpected(value, "an absolute path", path)


def unexpected(value: object, wanted: str, path: str) -> SpecError:
    """Word the error for a value of the right kind that a rule refuses."""
    from ocirun.spec import mismatch

    return SpecError(f"{path}: expected {wanted}, found {mismatch.show(value)}")


def _mismatch(value: object, kind: "Kind", path: str, step: str) -> SpecError:
    from ocirun.spec import mismatch

    return mismatch.error(value, kind, _join(path, step))


def _join(path: str, step: str) -> str:
    if not path or not step or step[0] == "[":
        return path + step
    return f"{path}.{step}"
