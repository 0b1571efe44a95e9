"""What is counted is what the model wrote, under the grammar and freely."""

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
    begun = ["--incidents", str(incidents_folder), "--out", str(run), "--steps", "2"]
    assert sft.main([*common, *begun]) == 0
    data = incidents_folder / "test.jsonl"
    given = ["--data", str(data), "--run", str(run), "--out", str(out), "--limit", "5"]
    assert evaluate.main([*common, *given]) == 0
    found = json.loads(out.read_bytes())
    assert (found["traces"], found["step"], found["trained"]) == (5, 2, True)
    for figures in found["modes"].values():
        assert figures["exact"]["cases"] == 5
    assert found["modes"]["constrained"]["invalid"]["passed"] == 0
    assert len(found["failures"]["free"]) == 5 - found["modes"]["free"]["acceptable"]["passed"]
    assert "exactly the expert's reply" in out.with_suffix(".md").read_text()


def test_one_pass_tells_what_decoding_writes(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    learner = load_learner(recipes.load(str(recipe_file())), tmp_path)
    some = dataset.read(incidents_folder / "train.jsonl")
    told = forced_replies.force_replies(learner.model, learner.encoder, some)
    for mode in ("constrained", "free"):
        wrote = evaluate.replies(learner, some, mode)
        expected = [one.constrained if mode == "constrained" else one.free for one in told]
        assert [one.exact for one in wrote] == expected
    assert 0 < sum(bool(one.constrained) for one in told) < len(told)
