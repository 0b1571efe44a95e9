"""Generates replies: constrained to a tree of possible replies, or freely.

In a tree the model is only asked where there is a choice; forced tokens are fed together with the
next query. Samples with the same prefix share a row, so that many samples of a confident model cost
as much as one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reme_lab.training import tokenization
from reme_lab.training.forward import logits
from reme_lab.training.tokenization import common_prefix

BATCH = 16
MAX_TOKENS = 256
Tokens = Sequence[int]


class Rows:
    """Partially generated sequences, with the model's cache."""

    def __init__(self, model: Any, prompts: Sequence[Tokens]) -> None:
        self._model = model
        shared = common_prefix(prompts)
        self._cache: Any = None
        if shared:
            first = torch.tensor([list(prompts[0][:shared])])
            self._cache = model.base_model(first, use_cache=True).past_key_values
            self._cache.batch_repeat_interleave(len(prompts))
        self._attention_mask = torch.ones(len(prompts), shared, dtype=torch.long)
        self.pending: list[list[int]] = [list(prompt[shared:]) for prompt in prompts]

    def read(self) -> Any:
        """Feed the pending tokens, at least one per row; return the logits after them."""
        width = max(len(row) for row in self.pending)
        ids = torch.zeros(len(self.pending), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(self.pending):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        places = self._attention_mask.sum(1, keepdim=True) + torch.arange(width)
        self._attention_mask = torch.cat([self._attention_mask, mask], dim=1)
        out = self._model.base_model(
            ids,
            attention_mask=self._attention_mask,
            position_ids=places,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = out.past_key_values
        last = torch.tensor([len(row) - 1 for row in self.pending])
        self.pending = [[] for _ in self.pending]
        return logits(self._model, out.last_hidden_state[torch.arange(len(last)), last])

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        chosen = torch.tensor(list(rows), dtype=torch.long)
        self._cache.batch_select_indices(chosen)
        self._attention_mask = self._attention_mask[chosen]
        self.pending = [list(self.pending[row]) for row in rows]


@dataclass
class _Branch:
    prompt: int
    node: tokenization.Node
    count: int


def constrained(
    model: Any,
    prompts: Sequence[Tokens],
    trees: Sequence[tokenization.Node],
    *,
    samples: int = 1,
    temperature: float = 0.0,
) -> list[Counter[int]]:
    """Return for each prompt how often each reply of its tree was generated, by its number.

    At temperature zero all samples take the most likely token at each choice.
    """
    counts: list[Counter[int]] = []
    for start in range(0, len(prompts), BATCH):
        batch = slice(start, start + BATCH)
        with torch.no_grad():
            counts += _batch(model, prompts[batch], trees[batch], samples, temperature)
    return counts


def _batch(
    model: Any,
    prompts: Sequence[Tokens],
    trees: Sequence[tokenization.Node],
    samples: int,
    temperature: float,
) -> list[Counter[int]]:
    counts_by_prompt: list[Counter[int]] = [Counter() for _ in prompts]
    branches: list[_Branch] = []
    parents: list[int] = []
    added: list[list[int]] = []

    def follow(parent: int, branch: _Branch, first: list[int]) -> None:
        tokens, node = tokenization.forced_tokens(branch.node)
        if not node.children:
            counts_by_prompt[branch.prompt][node.reply] += branch.count
            return
        branch.node = node
        branches.append(branch)
        parents.append(parent)
        added.append(first + tokens)

    for number, tree in enumerate(trees):
        follow(number, _Branch(number, tree, samples), [])
    if not branches:
        return counts_by_prompt
    rows = Rows(model, [prompts[number] for number in parents])
    rows.pending = [
        [*suffix, *added_tokens] for suffix, added_tokens in zip(rows.pending, added, strict=True)
    ]
    while branches:
        scores = rows.read()
        previous, branches, parents, added = branches, [], [], []
        for number, branch in enumerate(previous):
            tokens = tuple(branch.node.children)
            counts = _decided(scores[number, list(tokens)], branch.count, temperature)
            for token, count in zip(tokens, counts, strict=True):
                if count:
                    child = _Branch(branch.prompt, branch.node.children[token], count)
                    follow(number, child, [token])
        if branches:
            rows.keep(parents)
            rows.pending = added
    return counts_by_prompt


def _decided(scores: Any, count: int, temperature: float) -> list[int]:
    """Return how many of the samples take each choice."""
    if temperature == 0:
        best = int(scores.argmax())
        return [count if choice == best else 0 for choice in range(len(scores))]
    probabilities = torch.softmax(scores / temperature, -1)
    samples = torch.multinomial(probabilities, count, replacement=True)
    return [int(choices) for choices in torch.bincount(samples, minlength=len(scores))]


def free(
    model: Any, prompts: Sequence[Tokens], end: int, max_tokens: int = MAX_TOKENS
) -> list[list[int]]:
    """Return the most likely tokens for each prompt, up to the end token."""
    written: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(prompts), BATCH):
        active = list(range(start, min(start + BATCH, len(prompts))))
        with torch.no_grad():
            rows = Rows(model, [prompts[number] for number in active])
            while active:
                chosen = rows.read().argmax(-1).tolist()
                unfinished = []
                for row, (number, token) in enumerate(zip(active, chosen, strict=True)):
                    written[number].append(token)
                    if token != end and len(written[number]) < max_tokens:
                        unfinished.append(row)
                if not unfinished:
                    break
                rows.keep(unfinished)
                active = [active[row] for row in unfinished]
                rows.pending = [[written[number][-1]] for number in active]
    return written
