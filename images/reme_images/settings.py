"""Where things are, and what the images are called."""

import os
from dataclasses import dataclass
from pathlib import Path

IMAGES = ("operator", "sandbox", "model", "tools")
PUBLIC_BASE = "docker.io/library/python:3.11-slim-bookworm"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Settings:
    """One builder's choices."""

    cache: Path
    tag: str = "dev"
    base: str = "auto"
    wheels: Path | None = None

    def image(self, name: str) -> str:
        """Return the full name of an image."""
        return f"localhost/reme-{name}:{self.tag}"

    @property
    def records(self) -> Path:
        """Where it is written which key each image was built from."""
        return self.cache / "records"

    @property
    def logs(self) -> Path:
        """Where the output of each image's latest build is."""
        return self.cache / "logs"

    @property
    def archives(self) -> Path:
        """Where images lie as files, for clusters to read."""
        return self.cache / "archives"

    @property
    def scratch(self) -> Path:
        """Where unfinished things lie; may be emptied while nothing is being built."""
        return self.cache / "scratch"


def default_cache() -> Path:
    """Say where the builder keeps everything of its own."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    given = os.environ.get("REME_CACHE") or f"{base}/reme"
    return Path(given).expanduser().absolute() / "images"
