"""Brings images into a cluster, by way of `reme-cluster`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from reme_images import atomic_files, commands
from reme_images.engine import Engine
from reme_images.errors import ImagesError
from reme_images.settings import ROOT, Settings


def load(cluster: str, archives: Sequence[Path]) -> None:
    """Bring images into every node of a cluster; it leaves out what it has.

    Raises:
        ImagesError: the cluster did not take them.
    """
    command = [sys.executable, "-m", "reme_cluster", "load", "--name", cluster, *map(str, archives)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise ImagesError(f"cluster {cluster} did not take the images")


def export(settings: Settings, engine: Engine, name: str) -> Path:
    """Return a file with an image, written anew only when the image is another one.

    Raises:
        ImagesError: it was not built.
    """
    image = settings.image(name)
    image_id = engine.image_id(image)
    if image_id is None:
        raise ImagesError(f"{image} is not there: run `python images/build.py build {name}` first")
    archive = settings.archives / f"reme-{name}-{settings.tag}.tar"
    written = archive.with_suffix(".id")
    if archive.is_file() and written.is_file() and written.read_text() == image_id:
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = settings.scratch / archive.name
    with commands.step(f"export {image}"):
        engine.save(image, unfinished)
        written.unlink(missing_ok=True)
        unfinished.replace(archive)
        atomic_files.write(written, image_id)
    return archive
