"""Manifest of a model directory: the digest of every file, so that the served model is
identifiable.
"""

import hashlib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

MANIFEST = "MANIFEST.json"
_CHUNK = 1 << 20


class BadManifestError(Exception):
    """The directory differs from its manifest; the message names the file."""


class Manifest(BaseModel):
    """The files of a model directory, and their origin."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    base: str = Field(description="File that the weights came from.")
    base_digest: str = Field(default="", description="SHA-256 of that file.")
    adapter_digest: str = Field(default="", description="Digest of the merged adapter, if any.")
    dtype: str = Field(default="", description="Type of the stored weights.")
    tools: dict[str, str] = Field(default_factory=dict, description="Versions that converted it.")
    files: dict[str, str] = Field(description="SHA-256 of every file, by name.")

    @property
    def digest(self) -> str:
        """Digest of the whole model; equals `sha256sum *
        sha256sum` without this file.
        """
        return digest_of(self.files)

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """Return the manifest of a model directory; None if it has none."""
        path = directory / MANIFEST
        if not path.is_file():
            return None
        return cls.model_validate_json(path.read_bytes())

    def write(self, directory: Path) -> None:
        """Write the manifest into the model directory."""
        (directory / MANIFEST).write_text(self.model_dump_json(indent=1) + "\n")

    def verify(self, directory: Path) -> None:
        """Compare every file with the manifest.

        Raises:
            BadManifestError: a file is missing, unknown or different.
        """
        actual = digests(directory)
        for name in sorted(self.files.keys() | actual.keys()):
            if self.files.get(name) != actual.get(name):
                raise BadManifestError(f"{name} in {directory} differs from the manifest")


def digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file directly in the directory except the manifest."""
    return {
        path.name: file_digest(path)
        for path in sorted(directory.iterdir())
        if path.is_file() and path.name != MANIFEST
    }


def file_digest(path: Path) -> str:
    """Return `sha256:<hex>` of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def digest_of(files: dict[str, str]) -> str:
    """Return one digest of several files."""
    lines = "".join(
        f"{value.removeprefix('sha256:')}  {name}\n" for name, value in sorted(files.items())
    )
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"
