"""buildah: builds without a daemon, in a store that belongs to this program only."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from reme_cluster import commands
from reme_cluster.errors import CommandError
from reme_images.engine import BuildRequest

_MINUTE = 60.0
# The number of digits of a layer's id in the output of a build.
_SHORT_ID = 11
_LAYER = re.compile(r"^--> (?:Using cache )?([0-9a-f]{11})", re.MULTILINE)
# The time of every file and image, so that the same source gives the same image: 1980, the
# earliest year of a zip file, in which Ansible sends its modules.
_EPOCH = "315532800"


class Buildah:
    """Builds as root with chroot isolation, which works inside containers."""

    name = "buildah"

    def __init__(self, cache: Path) -> None:
        self._store = cache / "store"
        # Also holds the folders that builds share, such as downloaded packages.
        self._temporary = cache / "shared"

    def unusable(self) -> str | None:
        """Return why buildah cannot be used; None when it can."""
        if shutil.which("buildah") is None:
            return "is not installed"
        return None if os.geteuid() == 0 else "is installed, but needs root"

    def image_id(self, image: str) -> str | None:
        """Return the id of an image; None when it does not exist."""
        try:
            return self._run(*_inspect(image, "{{.FromImageID}}")).strip()
        except CommandError:
            return None

    def size(self, image: str) -> int:
        """Return the bytes of an image, unpacked."""
        manifest = json.loads(self._run(*_inspect(image, "{{.Manifest}}")))
        return sum(int(layer["size"]) for layer in manifest["layers"])

    def pull(self, image: str) -> None:
        """Pull an image from its registry."""
        self._run("pull", "--quiet", image, minutes=10)

    def import_tree(self, archive: Path, image: str) -> None:
        """Make an image of a file system in a tar file."""
        container = self._run("from", "scratch").strip()
        try:
            self._run("add", "--quiet", container, archive, "/", minutes=5)
            self._run("commit", "--quiet", container, image, minutes=5)
        finally:
            self._run("rm", container)

    def build(self, request: BuildRequest, on_line: Callable[[str], None]) -> None:
        """Build an image and pass on each line of the output."""
        # Removes containers of an interrupted build; the caller holds the lock of the store.
        self._run("rm", "--all")
        words = [*self._command(), "build", "--layers", "--network", "host", "--timestamp", _EPOCH]
        words += [*request.options(), str(request.context)]
        commands.run_with_log(words, log=request.log, env=self._environment(), on_line=on_line)

    def save(self, image: str, archive: Path) -> None:
        """Write an image to a docker-archive."""
        self._run("push", "--quiet", image, f"docker-archive:{archive}:{image}", minutes=15)

    def remove(self, images: list[str]) -> None:
        """Remove all images: the store belongs to this program only."""
        del images
        if self._store.exists():
            self._run("rm", "--all")
            self._run("rmi", "--all", "--force", minutes=5)

    def prune(self, logs: Path) -> None:
        """Remove layers that no latest build used: each may be gigabytes."""
        used = set[str]()
        for log in logs.glob("*.log"):
            used |= used_layers(log.read_text(errors="replace"))
        images = json.loads(self._run("images", "--all", "--json"))
        unused = [i["id"] for i in images if not i["names"] and i["id"][:_SHORT_ID] not in used]
        # Children follow their parents in the list, and must be removed before them.
        for image_id in reversed(unused):
            with contextlib.suppress(CommandError):
                self._run("rmi", image_id)

    def _command(self) -> list[str]:
        store = str(self._store)
        return ["buildah", "--root", store, "--runroot", f"{store}/run", "--storage-driver=overlay"]

    def _environment(self) -> dict[str, str]:
        return {"BUILDAH_ISOLATION": "chroot", "TMPDIR": str(self._temporary)}

    def _run(self, *words: str | Path, minutes: float = 1) -> str:
        self._temporary.mkdir(parents=True, exist_ok=True)
        return commands.run(
            [*self._command(), *words],
            env=self._environment(),
            timeout_seconds=minutes * _MINUTE,
        )


def used_layers(log: str) -> set[str]:
    """Return the short ids of the layers that a build made or took from its cache."""
    return set(_LAYER.findall(log))


def _inspect(image: str, template: str) -> list[str]:
    return ["inspect", "--type", "image", "--format", template, image]
