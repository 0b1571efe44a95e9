"""Loads images into a cluster of `reme_cluster`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import progress
from reme_cluster.files import write_atomically
from reme_images.engine import Engine
from reme_images.errors import ImagesError
from reme_images.settings import ROOT, Settings


def load(cluster: str, archives: Sequence[Path]) -> None:
    """Load images into every node of a cluster, except those that it has.

    Raises:
        ImagesError: the load failed.
    """
    command = [sys.executable, "-m", "reme_cluster", "load", "--name", cluster, *map(str, archives)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise ImagesError(f"the images could not be loaded into cluster {cluster}")


def export(settings: Settings, engine: Engine, name: str) -> Path:
    """Return the archive of an image; write it when it holds another image.

    Raises:
        ImagesError: the image was not built.
    """
    image = settings.image(name)
    image_id = engine.image_id(image)
    if image_id is None:
        raise ImagesError(f"{image} is not built: run `python images/build.py build {name}` first")
    archive = settings.archives / f"reme-{name}-{settings.tag}.tar"
    id_file = archive.with_suffix(".id")
    if archive.is_file() and id_file.is_file() and id_file.read_text() == image_id:
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = settings.scratch / archive.name
    with progress.step(f"export {image}"):
        engine.save(image, unfinished)
        id_file.unlink(missing_ok=True)
        unfinished.replace(archive)
        write_atomically(id_file, image_id)
    return archive
