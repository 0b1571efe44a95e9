"""Sim-RFT raises the probability of rewarded replies, and can be interrupted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from reme_lab.training import (  # noqa: E402
    checkpoint,
    metrics_log,
    rft,
    sft,
    tokenization,
)
from reme_lab.training.recipe import Reinforcement  # noqa: E402
from reme_lab.training.rft import Completion, expected_reward  # noqa: E402
from reme_lab.training.schedule import BatchSampler  # noqa: E402
from reme_lab.training.tokenization import Example  # noqa: E402

pytestmark = pytest.mark.timeout(300)


def group(*rewards: float) -> list[Completion]:
    replies = [(number, 9) for number in range(len(rewards))]
    tree = tokenization.build_tree(replies)
    return [
        Completion(Example((1,), one), tree, r) for one, r in zip(replies, rewards, strict=True)
    ]


def test_the_gradient_is_that_of_the_expected_reward() -> None:
    rewards = torch.tensor([1.0, 0.2, -0.5])
    scores = torch.randn(10, requires_grad=True)
    rows = [torch.stack([scores, torch.zeros(10)]) for _ in rewards]
    objective, mean = expected_reward(rows, group(*rewards.tolist()))
    objective.backward()
    gradient = scores.grad.clone()

    scores.grad = None
    expected = (torch.softmax(scores[:3], 0) * rewards).sum()
    expected.backward()
    assert mean == pytest.approx(expected.item(), abs=1e-6)
    torch.testing.assert_close(gradient, scores.grad / rewards.std(unbiased=False))


def test_like_rewards_teach_nothing() -> None:
    scores = torch.randn(10, requires_grad=True)
    rows = [torch.stack([scores, torch.zeros(10)]) for _ in range(2)]
    objective, mean = expected_reward(rows, group(0.5, 0.5))
    objective.backward()
    assert mean == pytest.approx(0.5)
    assert not scores.grad.any()


@pytest.mark.parametrize(("draws", "rounds"), [(1, 1), (4, 3)])
def test_incidents_are_asked_until_enough_of_them_teach_something(
    draws: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One group per round has a gradient: three are wanted, so two more rounds are sampled."""
    sampled: list[tuple[int, ...]] = []

    def complete(_: object, chosen: tuple[int, ...]) -> list[list[Completion]]:
        sampled.append(chosen)
        return [group(1.0, 0.2), group(0.5, 0.5)]

    monkeypatch.setattr(rft.ReinforcementStage, "_complete", complete)
    stage = object.__new__(rft.ReinforcementStage)
    stage._plan = Reinforcement(examples_per_step=3, draws=draws, minutes=1)
    stage._order = BatchSampler([1] * 24, 2, 1)
    informative, degenerate = stage._sample_groups(5)
    assert sampled == [stage._order.batch(5 * draws + n) for n in range(rounds)]
    assert (len(informative), len(degenerate)) == (rounds, rounds)


def test_the_reward_rises_and_a_run_in_two_parts_is_the_run_in_one(
    recipe_file: Callable[..., Path],
    incidents_folder: Path,
    tmp_path: Path,
    cut_at: Callable[[Any, int, Callable[[], int]], None],
) -> None:
    recipe = recipe_file(steps=12, checkpoint_minutes=1e-9)
    common = ["--recipe", str(recipe), "--incidents", str(incidents_folder)]
    start, whole, parts = (tmp_path / name for name in ("sft", "whole", "parts"))
    assert sft.main([*common, "--out", str(start), "--steps", "1"]) == 0
    more = [*common, "--start", str(start)]
    assert rft.main([*more, "--out", str(whole)]) == 0

    cut_at(rft.ReinforcementStage, 7, lambda: rft.main([*more, "--out", str(parts)]))
    assert rft.main([*more, "--out", str(parts), "--resume"]) == 0

    first, second = checkpoint.read(whole), checkpoint.read(parts)
    for name, matrix in first.adapters.items():
        assert torch.equal(matrix, second.adapters[name]), name
    rewards = [line["reward"] for line in metrics_log.read(whole) if line["event"] == "step"]
    assert sum(rewards[-3:]) > sum(rewards[:3])


def test_another_architecture_takes_a_step_of_each_stage(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    common = ["--recipe", str(recipe_file("qwen3")), "--incidents", str(incidents_folder)]
    common += ["--steps", "1"]
    assert sft.main([*common, "--out", str(tmp_path / "sft")]) == 0
    more = ["--start", str(tmp_path / "sft"), "--out", str(tmp_path / "rft")]
    assert rft.main([*common, *more]) == 0
    before, after = (checkpoint.read(tmp_path / name).adapters for name in ("sft", "rft"))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_finished_stage_is_not_run_again_unless_its_inputs_changed(
    recipe_file: Callable[..., Path],
    incidents_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = tmp_path / "sft"
    arguments = ["--recipe", str(recipe_file(steps=2)), "--incidents", str(incidents_folder)]
    arguments += ["--out", str(run), "--cached"]
    assert sft.main(arguments) == 0
    log = (run / metrics_log.FILE).read_text()
    assert sft.main(arguments) == 0
    assert (run / metrics_log.FILE).read_text() == log
    assert sft.main([*arguments[:-1]]) == 1
    assert "use --resume" in capsys.readouterr().err

    train = incidents_folder / "train.jsonl"
    train.write_text(train.read_text().replace("incident", "accident"))
    assert sft.main([*arguments[:-1], "--resume"]) == 1
    assert "differs in: data" in capsys.readouterr().err
    assert sft.main(arguments) == 0
    assert (run / metrics_log.FILE).read_text().splitlines()[0] != log.splitlines()[0]


def test_incidents_without_rewards_are_refused(
    recipe_file: Callable[..., Path],
    incidents_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for file in incidents_folder.iterdir():
        file.write_text(file.read_text().replace('"candidates"', '"other"'))
    arguments = ["--recipe", str(recipe_file()), "--incidents", str(incidents_folder)]
    arguments += ["--out", str(tmp_path / "out"), "--start", str(tmp_path)]
    assert rft.main(arguments) == 1
    assert "have no rewards" in capsys.readouterr().err
