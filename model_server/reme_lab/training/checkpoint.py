"""State of a training run in one file, and the adapter that a run starts from."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from reme_lab.training import checkpoint
from reme_lab.training.errors import NothingToResumeError
from reme_model.serving import adapter
from reme_model.serving.manifest import file_digest

FILE = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run."""

    run: dict[str, Any]
    """Identity of the run: recipe and digests. A checkpoint of another run is rejected."""
    step: int
    seconds: float
    adapters: dict[str, Any]
    optimizer: dict[str, Any]
    random: Any

    def write(self, folder: Path) -> None:
        """Replace the previous checkpoint atomically."""
        temporary = folder / f"{FILE}.new"
        with temporary.open("wb") as file:
            torch.save(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)


def exists(folder: Path) -> bool:
    """Return whether the run's folder has a checkpoint."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Return the checkpoint of a run's folder.

    Raises:
        NothingToResumeError: there is none.
    """
    if not exists(folder):
        raise NothingToResumeError(f"{folder} has no checkpoint: start without --resume")
    return Checkpoint(**torch.load(folder / FILE, map_location="cpu", weights_only=True))


@dataclass(frozen=True)
class InitialAdapter:
    """The matrices of an adapter in float32, and their origin."""

    matrices: dict[str, Any]
    origin: dict[str, Any]
    step: int = 0


def read_adapter(folder: Path) -> InitialAdapter:
    """Return the adapter in the folder of a run, or in the directory of an exported adapter.

    Raises:
        NothingToResumeError: the folder contains neither.
    """
    if checkpoint.exists(folder):
        stored_run = checkpoint.read(folder)
        return InitialAdapter(
            stored_run.adapters,
            {"step": stored_run.step, "data": stored_run.run["data"]},
            step=stored_run.step,
        )
    if not (folder / adapter.MATRICES).is_file():
        raise NothingToResumeError(f"{folder} has neither a checkpoint nor an adapter")
    stored = load_file(folder / adapter.MATRICES)
    return InitialAdapter(
        {name.removeprefix(adapter.PREFIX): matrix.float() for name, matrix in stored.items()},
        {"adapter": adapter.digest(folder)},
    )


def weights_digest(folder: Path) -> str:
    """Return the digest of the file that `read_adapter` would read; empty if there is none."""
    for name in (checkpoint.FILE, adapter.MATRICES):
        if (folder / name).is_file():
            return file_digest(folder / name)
    return ""
