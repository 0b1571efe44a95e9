"""Finds the wheel of torch for CPUs, which is not on PyPI."""

import os
import urllib.error
import urllib.request
from pathlib import Path

from reme_images import locks
from reme_images.errors import PrerequisiteError

INDEX = "https://download.pytorch.org/whl/cpu"
_TIMEOUT_SECONDS = 10


def directory(option: Path | None) -> Path | None:
    """Return the directory of wheels of the option or of $REME_WHEELS, if there is one.

    Raises:
        PrerequisiteError: it is not a directory.
    """
    path = option or (Path(os.environ["REME_WHEELS"]) if os.environ.get("REME_WHEELS") else None)
    if path is None:
        return None
    if not path.is_dir():
        raise PrerequisiteError(f"the directory of wheels {path} is not a directory")
    return path.absolute()


def torch_source(option: Path | None, lock: str) -> Path | None:
    """Return the directory that holds the locked torch; None when it comes from the index.

    Raises:
        PrerequisiteError: neither has it.
    """
    (version,) = locks.pins(lock)["torch"]
    folder = directory(option)
    if folder and any(is_torch(path.name, version) for path in folder.iterdir()):
        return folder
    if not folder and _answers(f"{INDEX}/torch/"):
        return None
    reason = f"no torch-{version}-cp311 wheel in {folder}" if folder else f"{INDEX} does not answer"
    raise PrerequisiteError(
        f"the model image needs torch {version}: {reason}.\n"
        "Put the wheel into a directory and give it with --wheels or REME_WHEELS, "
        "or build without the model image."
    )


def is_torch(file_name: str, version: str) -> bool:
    """Return whether a file is torch's wheel of this version; `+` may be written as `%2B`."""
    start = f"torch-{version}-cp311-"
    return file_name.replace("%2B", "+").startswith(start) and file_name.endswith(".whl")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS):  # noqa: S310 - https
            return True
    except (urllib.error.URLError, TimeoutError, OSError):
        return False
