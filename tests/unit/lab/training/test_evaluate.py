"""Evaluation counts what the model generates, with the grammar and freely."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from reme_lab.training import dataset, evaluate, forced_replies, sft
from reme_lab.training import recipe as recipes
from reme_lab.training.base_model import load_learner

pytestmark = pytest.mark.timeout(300)


def test_an_evaluation_counts_every_incident_once(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    recipe, run, out = str(recipe_file()), tmp_path / "run", tmp_path / "found" / "test.json"
    common = ["--recipe", recipe]
    arguments = ["--incidents", str(incidents_folder), "--out", str(run), "--steps", "2"]
    assert sft.main([*common, *arguments]) == 0
    data = incidents_folder / "test.jsonl"
    arguments = ["--data", str(data), "--run", str(run), "--out", str(out), "--limit", "5"]
    assert evaluate.main([*common, *arguments]) == 0
    result = json.loads(out.read_bytes())
    assert (result["traces"], result["step"], result["trained"]) == (5, 2, True)
    for figures in result["modes"].values():
        assert figures["exact"]["cases"] == 5
    assert result["modes"]["constrained"]["invalid"]["passed"] == 0
    assert len(result["failures"]["free"]) == 5 - result["modes"]["free"]["acceptable"]["passed"]
    assert "exactly the expert's reply" in out.with_suffix(".md").read_text()


def test_one_pass_tells_what_decoding_writes(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    learner = load_learner(recipes.load(str(recipe_file())), tmp_path)
    incidents = dataset.read(incidents_folder / "train.jsonl")
    replies = forced_replies.force_replies(learner.model, learner.encoder, incidents)
    for mode in ("constrained", "free"):
        wrote = evaluate.replies(learner, incidents, mode)
        expected = [one.constrained if mode == "constrained" else one.free for one in replies]
        assert [one.exact for one in wrote] == expected
    assert 0 < sum(bool(one.constrained) for one in replies) < len(replies)
