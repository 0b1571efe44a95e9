"""What an engine that builds images can do: the interface of Docker and buildah."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class BuildRequest:
    """One image to build.

    Attributes:
        target: the stage of the Dockerfile.
        image: the full name of the image.
        context: the folder of the Dockerfile.
        log: the file for the output.
        arguments: build arguments.
        secrets: files that commands of the build may read, by name.
        contexts: folders that replace stages, by the stage's name.
    """

    target: str
    image: str
    context: Path
    log: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    contexts: Mapping[str, Path] = field(default_factory=dict)

    def options(self) -> list[str]:
        """Return the options that are the same for both engines."""
        options = ["--target", self.target, "--tag", self.image]
        for key, value in self.arguments.items():
            options += ["--build-arg", f"{key}={value}"]
        for key, path in self.secrets.items():
            options += ["--secret", f"id={key},src={path}"]
        for key, path in self.contexts.items():
            options += ["--build-context", f"{key}={path}"]
        return options


class Engine(Protocol):
    """Builds and stores images. Methods raise CommandError when the engine fails."""

    name: str

    def unusable(self) -> str | None:
        """Return why the engine cannot be used; None when it can."""

    def image_id(self, image: str) -> str | None:
        """Return the id of an image; None when it does not exist."""

    def size(self, image: str) -> int:
        """Return the bytes of an image, unpacked."""

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""

    def import_tree(self, archive: Path, image: str) -> None:
        """Make an image of a file system in a tar file."""

    def build(self, request: BuildRequest, on_line: Callable[[str], None]) -> None:
        """Build an image and pass on each line of the output."""

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a docker-archive."""

    def prune(self, logs: Path) -> None:
        """Remove layers that no latest build used, according to the builds' logs."""

    def remove(self, images: list[str]) -> None:
        """Remove images, and the build cache where it belongs to this program only."""
