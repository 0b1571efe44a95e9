"""The names of the images and the directories of the builder."""

import os
from dataclasses import dataclass
from pathlib import Path

IMAGES = ("operator", "sandbox", "model", "tools")
PUBLIC_BASE = "docker.io/library/python:3.11-slim-bookworm"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """The settings of one run of the builder."""

    cache: Path
    tag: str = "dev"
    base: str = "auto"
    wheels: Path | None = None

    def image(self, name: str) -> str:
        """Return the full name of an image."""
        return f"localhost/reme-{name}:{self.tag}"

    @property
    def records(self) -> Path:
        """The directory that records the key from which each image was built."""
        return self.cache / "records"

    @property
    def logs(self) -> Path:
        """The directory of the output of each image's latest build."""
        return self.cache / "logs"

    @property
    def archives(self) -> Path:
        """The directory of images as archives, for clusters."""
        return self.cache / "archives"

    @property
    def scratch(self) -> Path:
        """The directory of unfinished files; emptied before each build."""
        return self.cache / "scratch"


def default_cache() -> Path:
    """Return the default directory of the builder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cache = os.environ.get("REME_CACHE") or f"{base}/reme"
    return Path(cache).expanduser().absolute() / "images"
