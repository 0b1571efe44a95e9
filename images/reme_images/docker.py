"""The Docker engine, with BuildKit."""

import shutil
from collections.abc import Callable
from pathlib import Path

from reme_images import commands
from reme_images.build_request import Request
from reme_images.errors import CommandError

_LONG_SECONDS = 900.0


class Docker:
    """Builds with `docker buildx` into the engine's own store."""

    name = "docker"

    def unusable(self) -> str | None:
        """Return why it cannot be used, or nothing when it can."""
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
        """Return the id of an image, or nothing when it is not there."""
        try:
            return commands.run(_inspect(image, "{{.Id}}")).strip()
        except CommandError:
            return None

    def size(self, image: str) -> int:
        """Return the bytes of an image, unpacked."""
        return int(commands.run(_inspect(image, "{{.Size}}")))

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""
        commands.run(["docker", "pull", "--quiet", image], timeout_seconds=_LONG_SECONDS)

    def import_tree(self, archive: Path, image: str) -> None:
        """Make an image of a file system in a tar file."""
        commands.run(["docker", "import", archive, image], timeout_seconds=_LONG_SECONDS)

    def build(self, request: Request, each_line: Callable[[str], None]) -> None:
        """Build an image, handing on each line of the output."""
        words = ["docker", "buildx", "build", "--load", "--progress", "plain"]
        words += [*request.options(), str(request.context)]
        commands.follow(words, log=request.log, each_line=each_line)

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a file that clusters can read."""
        commands.run(["docker", "save", "--output", archive, image], timeout_seconds=_LONG_SECONDS)

    def remove(self, images: list[str]) -> None:
        """Forget images; the engine's build cache is not ours alone and stays."""
        there = [image for image in images if self.image_id(image)]
        if there:
            commands.run(["docker", "image", "rm", "--force", *there])

    def tidy(self, logs: Path) -> None:
        """Leave the cache to the engine, which bounds it itself."""


def _inspect(image: str, template: str) -> list[str]:
    return ["docker", "image", "inspect", "--format", template, image]
