"""What builds: Docker where it answers, buildah where not."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reme_images.build_request import Request
from reme_images.buildah import Buildah
from reme_images.docker import Docker
from reme_images.errors import PrerequisiteError
from reme_images.settings import Settings


class Engine(Protocol):
    """Builds images and keeps them. Methods raise CommandError when the engine fails."""

    name: str

    def image_id(self, image: str) -> str | None:
        """Return the id of an image, or nothing when it is not there."""

    def size(self, image: str) -> int:
        """Return the bytes of an image, unpacked."""

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""

    def import_tree(self, archive: Path, image: str) -> None:
        """Make an image of a file system in a tar file."""

    def build(self, request: Request, each_line: Callable[[str], None]) -> None:
        """Build an image, handing on each line of the output."""

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a file that clusters can read."""

    def tidy(self, logs: Path) -> None:
        """Forget what none of the latest builds used, as their logs tell."""

    def remove(self, images: list[str]) -> None:
        """Forget images, and everything that was kept to build them faster where it is ours."""


def choose(settings: Settings) -> Engine:
    """Return the engine that answers on this machine.

    Raises:
        PrerequisiteError: there is none; says what each one lacks.
    """
    docker, buildah = Docker(), Buildah(settings.cache)
    lacking = {}
    for engine in (docker, buildah):
        reason = engine.unusable()
        if reason is None:
            return engine
        lacking[engine.name] = reason
    raise PrerequisiteError(
        "nothing on this machine can build images:\n"
        + "".join(f"- {name} {reason}\n" for name, reason in lacking.items())
        + "Start Docker, or as root: apt-get install buildah mmdebstrap"
    )
