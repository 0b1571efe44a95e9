"""Finds the images of this machine: archives, buildah's store, Docker's store."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from reme_cluster import image_archive
from reme_cluster.commands import run
from reme_cluster.errors import ClusterError, CommandError

_SAVE_SECONDS = 1800


@dataclass(frozen=True)
class LocalImage:
    """One image and the store that holds it."""

    name: str
    image_id: str
    store: str

    def save(self, directory: Path) -> Path:
        """Return an archive of the image; write it to the directory unless the image is one.

        Raises:
            CommandError: the store could not write it.
        """
        if self.store == "archive":
            return Path(self.name).absolute()
        archive = directory / "image.tar"
        if self.store == "buildah":
            target = f"docker-archive:{archive}:{self.name}"
            run(["buildah", "push", "--quiet", self.name, target], timeout_seconds=_SAVE_SECONDS)
        else:
            words = ["docker", "image", "save", "--output", str(archive), self.name]
            run(words, timeout_seconds=_SAVE_SECONDS)
        return archive


def find(image: str) -> LocalImage:
    """Find an image by the path of its archive or by its name.

    Raises:
        ClusterError: no file and no store has it.
    """
    if Path(image).is_file():
        archive_id = image_archive.image_id(Path(image))
        if archive_id is None:
            raise ClusterError(f"{image} is neither a docker-archive nor an OCI archive")
        return LocalImage(image, archive_id, "archive")
    reasons = []
    for store, words in (
        ("buildah", ["inspect", "--type", "image", "--format", "{{.FromImageID}} {{.FromImage}}"]),
        ("docker", ["image", "inspect", "--format", "{{.Id}} " + image]),
    ):
        if shutil.which(store) is None:
            reasons.append(f"{store} is not installed")
            continue
        try:
            image_id, name = run([store, *words, image]).split()
        except CommandError as error:
            reasons.append(f"{store}: {error.output.strip().splitlines()[-1:] or error}")
            continue
        return LocalImage(name, f"sha256:{image_id.removeprefix('sha256:')}", store)
    raise ClusterError(f"image {image} is not a file and in no local store ({'; '.join(reasons)})")
