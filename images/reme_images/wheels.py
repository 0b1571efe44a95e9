"""Where torch's wheel for processors comes from: it is not on the usual index."""

import os
import urllib.error
import urllib.request
from pathlib import Path

from reme_images import locks
from reme_images.errors import PrerequisiteError

INDEX = "https://download.pytorch.org/whl/cpu"
_PATIENCE_SECONDS = 10


def directory(given: Path | None) -> Path | None:
    """Return the directory of wheels that was named, by option or by $REME_WHEELS.

    Raises:
        PrerequisiteError: it was named and is not there.
    """
    named = given or (Path(os.environ["REME_WHEELS"]) if os.environ.get("REME_WHEELS") else None)
    if named is None:
        return None
    if not named.is_dir():
        raise PrerequisiteError(f"{named}, named for wheels, is not a directory")
    return named.absolute()


def torch_source(given: Path | None, lock: str) -> Path | None:
    """Return the directory that holds the locked torch, or nothing when the index has it.

    Raises:
        PrerequisiteError: neither has it; better known now than after a long build.
    """
    (version,) = locks.pins(lock)["torch"]
    named = directory(given)
    if named and any(is_torch(path.name, version) for path in named.iterdir()):
        return named
    if not named and _answers(f"{INDEX}/torch/"):
        return None
    where = f"no torch-{version}-cp311 wheel in {named}" if named else f"{INDEX} does not answer"
    raise PrerequisiteError(
        f"the model image needs torch {version}: {where}.\n"
        "Put the wheel into a directory and name it with --wheels or REME_WHEELS, "
        "or build without the model image."
    )


def is_torch(file_name: str, version: str) -> bool:
    """Whether a file is torch's wheel of this version; a plus is often written %2B in names."""
    start = f"torch-{version}-cp311-"
    return file_name.replace("%2B", "+").startswith(start) and file_name.endswith(".whl")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS):  # noqa: S310 - https
            return True
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
