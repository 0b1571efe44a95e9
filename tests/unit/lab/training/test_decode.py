"""Decoding agrees with one forward pass over every possible reply."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from reme_lab.training import (  # noqa: E402
    attention,
    decode,
    tokenization,
)
from reme_lab.training.forward import logits, reply_states  # noqa: E402
from reme_lab.training.tokenization import Encoder, Example  # noqa: E402

pytestmark = pytest.mark.timeout(300)
REPLIES = ('{"abstain":"x"}', '[{"restart":"a"}]', '[{"restart":"b"}]', '[{"scale":2}]')
QUESTIONS = ("why", "what is going on here", "ab ab")


@pytest.fixture
def parts(tiny_base: Callable[[str], Path]) -> tuple[Any, Encoder]:
    folder = tiny_base("llama")
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation=attention.register())
    with torch.no_grad():  # random weights have little preference: sharpen it
        model.model.embed_tokens.weight.mul_(20)
    return model.eval(), Encoder(AutoTokenizer.from_pretrained(folder))


def prompts_of(encoder: Encoder) -> list[tuple[int, ...]]:
    return [encoder.prompt([{"role": "user", "content": question}]) for question in QUESTIONS]


def chances(model: Any, encoder: Encoder, prompt: tuple[int, ...]) -> dict[str, float]:
    """Return the probability of each reply under the tree, from one pass over each."""
    sequences = encoder.replies(REPLIES)
    tree = tokenization.build_tree(sequences)
    probabilities = {}
    for text, sequence in zip(REPLIES, sequences, strict=True):
        with torch.no_grad():
            scores = logits(model, reply_states(model, 0, [Example(prompt, sequence)])[0])
        total = 0.0
        for place, possible in tokenization.decisions(tree, sequence):
            log_probabilities = torch.log_softmax(scores[place, list(possible)], -1)
            total += float(log_probabilities[possible.index(sequence[place])])
        probabilities[text] = math.exp(total)
    return probabilities


def test_samples_come_as_often_as_they_should(parts: tuple[Any, Encoder]) -> None:
    model, encoder = parts
    prompts = prompts_of(encoder)
    trees = [tokenization.build_tree(encoder.replies(REPLIES)) for _ in prompts]
    torch.manual_seed(1)
    drawn = decode.constrained(model, prompts, trees, samples=20_000, temperature=1.0)
    for prompt, counts in zip(prompts, drawn, strict=True):
        expected = chances(model, encoder, prompt)
        assert sum(expected.values()) == pytest.approx(1.0, abs=1e-4)
        for number, text in enumerate(REPLIES):
            assert counts[number] / 20_000 == pytest.approx(expected[text], abs=0.02)


def test_greedy_takes_the_likeliest_way_at_each_decision(parts: tuple[Any, Encoder]) -> None:
    model, encoder = parts
    prompts = prompts_of(encoder)
    trees = [tokenization.build_tree(encoder.replies(REPLIES)) for _ in prompts]
    written = decode.constrained(model, prompts, trees)
    torch.manual_seed(1)
    cold = decode.constrained(model, prompts, trees, samples=9, temperature=1e-3)
    for one, other in zip(written, cold, strict=True):
        assert sum(one.values()) == 1
        assert set(one) == set(other)


def test_a_tree_without_a_decision_asks_nobody(parts: tuple[Any, Encoder]) -> None:
    model, encoder = parts
    prompts = prompts_of(encoder)
    only = tokenization.build_tree(encoder.replies(REPLIES[:1]))
    tree = tokenization.build_tree(encoder.replies(REPLIES))
    written = decode.constrained(model, prompts, [only, tree, only])
    assert written[0] == written[2] == {0: 1}
    assert written[1] == decode.constrained(model, prompts[1:2], [tree])[0]


def test_free_decoding_is_the_librarys(parts: tuple[Any, Encoder]) -> None:
    model, encoder = parts
    prompts = prompts_of(encoder)
    written = decode.free(model, prompts, encoder.end, max_tokens=12)
    for prompt, tokens in zip(prompts, written, strict=True):
        ids = torch.tensor([list(prompt)])
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
        )[0, len(prompt) :].tolist()
        assert tokens == expected
