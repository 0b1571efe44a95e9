"""Reads what was learned before: from the folder of a run, or from an adapter as it is released.

One's own incidents are few: training on them begins with what the released adapter knows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from reme_lab.training import checkpoint
from reme_lab.training.errors import NothingToResumeError
from reme_model.serving import adapter
from reme_model.serving.manifest import file_digest


@dataclass(frozen=True)
class InitialAdapter:
    """The matrices of an adapter in float32, and where they come from."""

    matrices: dict[str, Any]
    origin: dict[str, Any]
    step: int = 0


def read(folder: Path) -> InitialAdapter:
    """Return what is in the folder of a run, or in the directory of an exported adapter.

    Raises:
        NothingToResumeError: it holds neither.
    """
    if checkpoint.exists(folder):
        found = checkpoint.read(folder)
        return InitialAdapter(
            found.adapters, {"step": found.step, "data": found.run["data"]}, step=found.step
        )
    if not (folder / adapter.MATRICES).is_file():
        raise NothingToResumeError(f"{folder} holds neither a checkpoint nor an adapter")
    stored = load_file(folder / adapter.MATRICES)
    return InitialAdapter(
        {name.removeprefix(adapter.PREFIX): matrix.float() for name, matrix in stored.items()},
        {"adapter": adapter.digest(folder)},
    )


def weights_digest(folder: Path) -> str:
    """Return the digest of what `read` would take; empty where there is nothing."""
    for name in (checkpoint.FILE, adapter.MATRICES):
        if (folder / name).is_file():
            return file_digest(folder / name)
    return ""
