# SPDX-License-Identifier: Apache-2.0
"""An image of busybox, made without a registry: an archive in the OCI image layout."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import rootfs

NAME = "localhost/box:latest"


def make(directory: Path, busybox: str) -> None:
    """Write rootfs.tar, and image.tar around it."""
    top = directory / "rootfs"
    rootfs.make(top, busybox)
    plain = top / "etc" / "not-a-program"
    plain.write_text("no program\n")
    plain.chmod(0o644)
    with tarfile.open(directory / "rootfs.tar", "w") as tar:
        tar.add(top, arcname=".")
    layer = (directory / "rootfs.tar").read_bytes()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin:/sbin"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    with tarfile.open(directory / "image.tar", "w") as tar:
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _blob(tar, "config.v1+json", json.dumps(config).encode()),
            "layers": [_blob(tar, "layer.v1.tar", layer)],
        }
        entry = _blob(tar, "manifest.v1+json", json.dumps(manifest).encode())
        named = {**entry, "annotations": {"org.opencontainers.image.ref.name": NAME}}
        index = {"schemaVersion": 2, "manifests": [named]}
        _add(tar, "index.json", json.dumps(index).encode())
        _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _blob(tar: tarfile.TarFile, kind: str, data: bytes) -> dict[str, object]:
    digest = _digest(data)
    _add(tar, f"blobs/{digest.replace(':', '/')}", data)
    media_type = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
