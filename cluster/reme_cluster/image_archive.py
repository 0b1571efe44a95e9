"""Writes container images from files without a container engine, as a docker-archive."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Return this machine's architecture as images name it."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def write_image(
    archive: Path,
    *,
    name: str,
    files: Mapping[str, Path],
    entrypoint: Sequence[str],
    user: str = "65532:65532",
) -> str:
    """Write an image that holds only the given files, and return its id.

    The same files give the same id.

    Args:
        archive: the file to write, atomically.
        name: the image's full name with its tag.
        files: paths inside the image, without a leading slash, and the files to copy there.
        entrypoint: the command of a container.
        user: its user and group.
    """
    temporary = archive.with_name(f".{archive.name}.layer")
    with tarfile.open(temporary, mode="w") as layer:
        for inside, source in sorted(files.items()):
            _add_parents(layer, inside)
            entry = _entry(inside, source.stat().st_size, mode=0o755)
            with source.open("rb") as content:
                layer.addfile(entry, content)
    with temporary.open("rb") as stream:
        layer_digest = hashlib.file_digest(stream, "sha256").hexdigest()
    config = json.dumps(
        {
            "architecture": architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": list(entrypoint),
                "User": user,
                "Env": ["PATH=/"],
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created_by": "reme-cluster"}],
        },
        sort_keys=True,
    ).encode()
    image_id = hashlib.sha256(config).hexdigest()
    layer_name = f"{layer_digest}/layer.tar"
    manifest = [{"Config": f"{image_id}.json", "RepoTags": [name], "Layers": [layer_name]}]
    whole = archive.with_name(f".{archive.name}.whole")
    with tarfile.open(whole, mode="w") as output:
        _add_bytes(output, f"{image_id}.json", config)
        with temporary.open("rb") as content:
            output.addfile(_entry(layer_name, temporary.stat().st_size), content)
        _add_bytes(output, "manifest.json", json.dumps(manifest).encode())
    temporary.unlink()
    whole.replace(archive)
    return f"sha256:{image_id}"


def _add_parents(layer: tarfile.TarFile, inside: str) -> None:
    for parent in reversed(Path(inside).parents[:-1]):
        if str(parent) not in layer.getnames():
            directory = tarfile.TarInfo(str(parent))
            directory.type = tarfile.DIRTYPE
            directory.mode = 0o755
            layer.addfile(directory)


def _add_bytes(output: tarfile.TarFile, name: str, data: bytes) -> None:
    output.addfile(_entry(name, len(data)), io.BytesIO(data))


def _entry(name: str, size: int, mode: int = 0o644) -> tarfile.TarInfo:
    """Return a tar entry without times and owners, which would change the image's id."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = mode
    return entry


def image_id(archive: Path) -> str | None:
    """Return the id of the image in a docker-archive or OCI archive; None for other files."""
    try:
        with tarfile.open(archive, mode="r:*") as content:
            for member in content:
                name = member.name.removeprefix("./")
                if name in {"manifest.json", "index.json"}:
                    stream = content.extractfile(member)
                    return f"sha256:{_identify(json.load(stream))}" if stream else None
    except (tarfile.TarError, json.JSONDecodeError, KeyError, IndexError):
        return None
    return None


def _identify(manifest: object) -> str:
    """Return the id of one image, or a digest of the ids and names of several."""
    if isinstance(manifest, list):
        parts = [(entry["Config"], entry.get("RepoTags")) for entry in manifest]
        if len(parts) == 1:
            return Path(parts[0][0]).name.removesuffix(".json")
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    assert isinstance(manifest, dict)
    return str(manifest["manifests"][0]["digest"]).removeprefix("sha256:")
