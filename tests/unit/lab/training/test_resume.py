"""A run that was killed ends with the same weights as one that was not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from reme_lab.training import (  # noqa: E402
    checkpoint,
    metrics_log,
    sft,
)

pytestmark = pytest.mark.timeout(300)


def arguments(recipe: Path, incidents: Path, out: Path, *more: str) -> list[str]:
    return ["--recipe", str(recipe), "--incidents", str(incidents), "--out", str(out), *more]


def losses(folder: Path) -> dict[int, float]:
    return {
        line["step"]: line["loss"] for line in metrics_log.read(folder) if line["event"] == "step"
    }


def assert_same_end(one: Path, other: Path) -> None:
    first, second = checkpoint.read(one), checkpoint.read(other)
    assert first.step == second.step
    for name, matrix in first.adapters.items():
        assert torch.equal(matrix, second.adapters[name]), name
    assert losses(one) == losses(other)


def test_a_run_in_two_parts_is_the_run_in_one(
    recipe_file: Callable[..., Path],
    incidents_folder: Path,
    tmp_path: Path,
    cut_at: Callable[[Any, int, Callable[[], int]], None],
) -> None:
    recipe = recipe_file()
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert sft.main(arguments(recipe, incidents_folder, whole, "--steps", "8")) == 0

    # The learning rate depends on the budget, so the first part is aborted.
    every_step = recipe_file(checkpoint_minutes=1e-9)
    first = arguments(every_step, incidents_folder, parts, "--steps", "8")
    cut_at(sft.SupervisedStage, 5, lambda: sft.main(first))
    assert checkpoint.read(parts).step == 5
    assert sft.main(arguments(recipe, incidents_folder, parts, "--steps", "8", "--resume")) == 0
    assert_same_end(whole, parts)


def test_a_killed_run_goes_on(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    recipe = recipe_file(steps=40, checkpoint_minutes=1e-9)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert sft.main(arguments(recipe, incidents_folder, whole)) == 0
    command = [sys.executable, "-m", "reme_lab.training.sft"]
    command += arguments(recipe, incidents_folder, killed, "--resume")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment)
    while len(losses(killed)) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(losses(killed)) < 40
    assert sft.main(arguments(recipe, incidents_folder, killed, "--resume")) == 0
    assert_same_end(whole, killed)
