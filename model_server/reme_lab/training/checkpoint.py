"""Keeps a run's whole state in one file, so that it can go on after any interruption."""

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
    """Where a run is."""

    run: dict[str, Any]
    """What the run is: recipe, digests. A checkpoint of another run is not taken."""
    step: int
    seconds: float
    adapters: dict[str, Any]
    optimizer: dict[str, Any]
    random: Any

    def write(self, folder: Path) -> None:
        """Write it in place of the one before; killed at any moment, one of them is whole."""
        temporary = folder / f"{FILE}.new"
        with temporary.open("wb") as file:
            torch.save(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)


def exists(folder: Path) -> bool:
    """Whether a run's folder has a checkpoint."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Return the checkpoint of a run's folder.

    Raises:
        NothingToResumeError: there is none.
    """
    if not exists(folder):
        raise NothingToResumeError(f"{folder} holds no checkpoint: start without --resume")
    return Checkpoint(**torch.load(folder / FILE, map_location="cpu", weights_only=True))


@dataclass(frozen=True)
class InitialAdapter:
    """The matrices of an adapter in float32, and where they come from."""

    matrices: dict[str, Any]
    origin: dict[str, Any]
    step: int = 0


def read_adapter(folder: Path) -> InitialAdapter:
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
