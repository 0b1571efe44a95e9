"""The Docker engine, with BuildKit."""

import shutil
from collections.abc import Callable
from pathlib import Path

from reme_cluster import commands
from reme_cluster.errors import CommandError
from reme_images.engine import BuildRequest

_LONG_SECONDS = 900.0


class Docker:
    """Builds with `docker buildx` into the engine's own store."""

    name = "docker"

    def unusable(self) -> str | None:
        """Return why Docker cannot be used; None when it can."""
        if shutil.which("docker") is None:
            return "is not installed"
        for words, reason in (
            (("info",), "is installed, but its engine does not answer"),
            (("buildx", "version"), "lacks its buildx plugin"),
        ):
            try:
                commands.run(["docker", *words], timeout_seconds=15)
            except CommandError:
                return reason
        return None

    def image_id(self, image: str) -> str | None:
        """Return the id of an image; None when it does not exist."""
        try:
            return commands.run(_inspect(image, "{{.Id}}")).strip()
        except CommandError:
            return None

    def size(self, image: str) -> int:
        """Return the bytes of an image, unpacked."""
        return int(commands.run(_inspect(image, "{{.Size}}")))

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""
        commands.run(["docker", "pull", "--quiet", image], timeout_seconds=_LONG_SECONDS)

    def import_tree(self, archive: Path, image: str) -> None:
        """Make an image of a file system in a tar file."""
        commands.run(["docker", "import", archive, image], timeout_seconds=_LONG_SECONDS)

    def build(self, request: BuildRequest, on_line: Callable[[str], None]) -> None:
        """Build an image and pass on each line of the output."""
        words = ["docker", "buildx", "build", "--load", "--progress", "plain"]
        words += [*request.options(), str(request.context)]
        commands.run_with_log(words, log=request.log, on_line=on_line)

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a docker-archive."""
        commands.run(["docker", "save", "--output", archive, image], timeout_seconds=_LONG_SECONDS)

    def remove(self, images: list[str]) -> None:
        """Remove images, but not the engine's build cache, which others use too."""
        existing = [image for image in images if self.image_id(image)]
        if existing:
            commands.run(["docker", "image", "rm", "--force", *existing])

    def prune(self, logs: Path) -> None:
        """Do nothing: the engine limits its build cache itself."""


def _inspect(image: str, template: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", template, image]
