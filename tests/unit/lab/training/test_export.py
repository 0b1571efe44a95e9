"""The exported adapter is the trained one, and the image build accepts it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM  # noqa: E402

from reme_lab.training import (  # noqa: E402
    checkpoint,
    export,
    sft,
)
from reme_lab.training.lora import Adapters  # noqa: E402
from reme_model.serving import adapter  # noqa: E402

pytestmark = pytest.mark.timeout(300)


def test_the_exported_adapter_merges_to_the_trained_weights(
    tiny_base: Callable[[str], Path], tmp_path: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_base("llama"))
    plain = {name: part.clone() for name, part in model.state_dict().items()}
    adapters = Adapters(model, rank=4, alpha=8)
    with torch.no_grad():
        for part in adapters.parameters:
            part.copy_(torch.randn(part.shape) / 10)
    adapters.refresh()
    shape = {"rank": 4, "alpha": 8.0, "stored": "float16"}
    digest = export.export(adapters.state(), shape, "tiny", tmp_path)
    assert digest == adapter.digest(tmp_path)
    with torch.no_grad():
        assert adapter.merge(plain, tmp_path) == len(adapters.layers) == 21
    for name, weight in adapters.weights().items():
        torch.testing.assert_close(plain[name], weight, rtol=0, atol=2e-4)


def test_the_commands_export_what_they_trained(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "adapter"
    recipe = str(recipe_file(steps=2))
    arguments = ["--recipe", recipe, "--incidents", str(incidents_folder), "--out", str(run)]
    assert sft.main(arguments) == 0
    assert export.main(["--run", str(run), "--out", str(out)]) == 0
    config = json.loads((out / "adapter_config.json").read_bytes())
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert len(config["target_modules"]) == 7
    moved = checkpoint.read(run).adapters
    assert any(matrix.any() for name, matrix in moved.items() if name.endswith("lora_B.weight"))


def test_without_a_run_there_is_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(["--run", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "has no checkpoint" in capsys.readouterr().err


def test_training_goes_on_from_an_exported_adapter(
    recipe_file: Callable[..., Path], incidents_folder: Path, tmp_path: Path
) -> None:
    run, out, more = tmp_path / "run", tmp_path / "adapter", tmp_path / "more"
    arguments = ["--recipe", str(recipe_file(steps=1)), "--incidents", str(incidents_folder)]
    assert sft.main([*arguments, "--out", str(run)]) == 0
    assert export.main(["--run", str(run), "--out", str(out)]) == 0
    assert sft.main([*arguments, "--out", str(more), "--start", str(out)]) == 0
    went_on = checkpoint.read(more)
    assert went_on.run["start"] == {"adapter": adapter.digest(out)}
    stored = checkpoint.read_adapter(out).matrices
    trained = checkpoint.read(run).adapters
    assert stored.keys() == trained.keys() == went_on.adapters.keys()
    for name, matrix in stored.items():
        torch.testing.assert_close(matrix, trained[name], rtol=0, atol=1e-3)  # float16 on disk


def test_an_adapter_of_another_rank_is_not_taken(
    recipe_file: Callable[..., Path],
    incidents_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, out = tmp_path / "run", tmp_path / "adapter"
    arguments = ["--recipe", str(recipe_file(steps=1)), "--incidents", str(incidents_folder)]
    assert sft.main([*arguments, "--out", str(run)]) == 0
    made = checkpoint.read(run)
    shape = {"rank": 2, "alpha": 8.0, "stored": "float16"}
    narrow = {
        name: matrix[:2] if name.endswith("lora_A.weight") else matrix[:, :2]
        for name, matrix in made.adapters.items()
    }
    export.export(narrow, shape, "tiny", out)
    assert sft.main([*arguments, "--out", str(tmp_path / "more"), "--start", str(out)]) == 1
    assert "another rank" in capsys.readouterr().err


def test_part_of_the_way_lies_between_the_two() -> None:
    since, then = {"a": torch.zeros(2, 2)}, {"a": torch.full((2, 2), 4.0)}
    assert torch.equal(export.interpolate(since, then, 0.25)["a"], torch.ones(2, 2))
    assert torch.equal(export.interpolate(since, then, 1.0)["a"], then["a"])


def test_part_of_the_way_needs_where_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        export.main(["--run", str(tmp_path), "--out", str(tmp_path / "out"), "--share", "0.5"])
    assert "--share needs --since" in capsys.readouterr().err
