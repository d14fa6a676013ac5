# SPDX-License-Identifier: Apache-2.0
"""A bundle: the directory with `config.json` and, mostly, the root filesystem (bundle.md)."""

import os
import stat

from ocirun.errors import KernelError, SpecError
from ocirun.spec import load, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.spec.model import Spec

#: no config that means something is larger; the limit keeps a mistake from eating the memory
SIZE_MAX = 16 * 1024 * 1024


def read_config(bundle: str, config: str = "") -> tuple["Spec", bytes]:
    """Read and check config.json, or another file; give it parsed, and the bytes to keep.

    Those are as they were, unless the check changed something: who reads them later checks no more.
    """
    try:
        bundle.encode()
    except UnicodeEncodeError:
        # The state says where the bundle is, and state documents are JSON.
        raise SpecError(
            f"bundle {bundle!r}: the path is not valid UTF-8",
            "rename the directory",
        ) from None
    path = config or f"{bundle}/config.json"
    try:
        # NONBLOCK: to open a FIFO would otherwise wait for a writer.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        if not os.path.isdir(bundle):
            raise SpecError(
                f"bundle {bundle}: no such directory", "give it with --bundle"
            ) from None
        raise SpecError(
            f"JSON specification file {os.path.basename(path)} not found: {path}: no such file or directory",
            "ocirun spec makes one",
        ) from None
    except OSError as error:
        raise KernelError(f"open {path}: {(error.strerror or '').lower()}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SpecError(f"{path}: not a regular file")
        data = _read_all(fd, path)
    finally:
        os.close(fd)
    document = load.parse(data, path)
    spec = validate.validate(document)
    if spec is not document or b"null" in data:
        from ocirun.spec import encode

        try:
            data = encode.dumps(spec).encode()
        except ValueError:  # 1e999, in a field that nobody reads
            raise SpecError(
                f"parse {path}: a number is too large", "the limit is 1.8e308"
            ) from None
    return spec, data


def read_file(path: str) -> bytes:
    """Read another document that the user named; it may be a pipe, such as /dev/fd/63."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            return _read_all(fd, path)
        finally:
            os.close(fd)
    except OSError as error:
        raise KernelError(f"read {path}: {(error.strerror or '').lower()}") from error


def _read_all(fd: int, path: str) -> bytes:
    chunks = []
    size = 0
    while chunk := os.read(fd, 1 << 20):
        chunks.append(chunk)
        size += len(chunk)
        if size > SIZE_MAX:
            raise SpecError(f"{path}: larger than {SIZE_MAX >> 20} MiB")
    return b"".join(chunks)


def find_rootfs(spec: "Spec", bundle: str) -> str:
    """Give the absolute path of the root filesystem, which must be a directory."""
    path = os.path.normpath(os.path.join(bundle, spec["root"]["path"]))
    try:
        found = os.lstat(path)
    except OSError as error:
        raise SpecError(
            f"root.path: {path}: {(error.strerror or '').lower()}",
            "unpack a root filesystem there",
        ) from error
    if stat.S_ISLNK(found.st_mode):
        raise SpecError(f"root.path: {path} is a symbolic link", "name the directory itself")
    if not stat.S_ISDIR(found.st_mode):
        raise SpecError(f"root.path: {path}: not a directory")
    if path == "/":
        raise SpecError("root.path: / is the host's own root", "bind what you need of it instead")
    return path
