"""A tiny model with random weights and a character tokenizer, which trains in milliseconds."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SYSTEM = "Repair."


@pytest.fixture(autouse=True)
def one_cpu() -> Iterator[None]:
    """Use one CPU, here and in subprocesses: two threads do not pay off for tiny matrices."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


class CutError(Exception):
    """Aborts a run in the middle, like the loss of the machine."""


@pytest.fixture
def cut_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, int, Callable[[], int]], None]:
    """Return a function that runs a command whose stage is aborted before a step."""

    def run(stage: Any, last: int, command: Callable[[], int]) -> None:
        learned = stage.learn

        def cut(self: Any, step: int) -> dict[str, float]:
            if step == last:
                raise CutError
            return dict(learned(self, step))

        with monkeypatch.context() as patch:
            patch.setattr(stage, "learn", cut)
            with pytest.raises(CutError):
                command()

    return run


def incident_record(number: int, answer: str, *others: str) -> dict[str, Any]:
    """Return an incident as it is stored in a file."""
    replies = (answer, *others)
    return {
        "id": f"t{number}",
        "fault": f"fault-{number % 3}",
        "kind": "abstain" if answer.startswith("{") else "repair",
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"incident {number}: {'ab'[number % 2] * (number % 5)}"},
        ],
        "answer": answer,
        "acceptable": [answer],
        "candidates": {reply: float(reply == answer) for reply in replies},
    }


@pytest.fixture
def incidents_folder(tmp_path: Path) -> Path:
    """Return a folder with incidents for training, development and test."""
    folder = tmp_path / "traces"
    folder.mkdir()
    replies = ('[{"restart":"a"}]', '[{"restart":"b"}]', '[{"scale":2}]', '{"abstain":"healthy"}')
    for name, count, start in (("train", 24, 0), ("dev", 6, 100), ("test", 6, 200)):
        lines = [
            json.dumps(incident_record(n, replies[n % 4], *replies))
            for n in range(start, start + count)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a tiny base model of an architecture, once each."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    tokenizers = pytest.importorskip("tokenizers")
    made: dict[str, Path] = {}

    def make(architecture: str) -> Path:
        if architecture in made:
            return made[architecture]
        folder = tmp_path_factory.mktemp(architecture)
        words = {chr(code): code - 31 for code in range(32, 127)} | {"\n": 0, "<end>": 96}
        plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token=" "))
        plain.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
        plain.decoder = tokenizers.decoders.Fuse()
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=plain, eos_token="<end>", unk_token=" "
        )
        tokenizer.chat_template = (
            "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}<end>{% endfor %}"
            "{% if add_generation_prompt %}assistant: {% endif %}"
        )
        tokenizer.save_pretrained(folder)
        torch.manual_seed(7)
        config = transformers.AutoConfig.for_model(
            architecture,
            vocab_size=97,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            eos_token_id=96,
            bos_token_id=96,
            pad_token_id=0,
        )
        transformers.AutoModelForCausalLM.from_config(config).float().save_pretrained(folder)
        made[architecture] = folder
        return folder

    return make


@pytest.fixture
def recipe_file(tmp_path: Path, tiny_base: Callable[[str], Path]) -> Callable[..., Path]:
    """Return a function that writes a recipe for a tiny base model."""
    yaml = pytest.importorskip("yaml")

    def write(architecture: str = "llama", **changes: Any) -> Path:
        plan = {
            "examples_per_step": 4,
            "learning_rate": 3e-3,
            "warmup_steps": 2,
            "steps": 8,
            "dev_examples": 6,
            **changes,
        }
        base = {"name": "tiny", "licence": "Apache-2.0"}
        recipe = {
            "base": {**base, "directory": str(tiny_base(architecture))},
            "dtype": "float32",
            "adapter": {"rank": 4, "alpha": 8},
            "sft": plan,
            "rft": {**plan, "samples": 6},
        }
        path = tmp_path / f"{architecture}.yaml"
        path.write_text(yaml.safe_dump(recipe))
        return path

    return write
