"""Keeps a run's whole state in one file, so that it can go on after any interruption."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from reme_lab.training.errors import NothingToResumeError

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
