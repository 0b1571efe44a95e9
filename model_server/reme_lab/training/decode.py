"""Writes replies: under the tree of those that are possible, or freely.

Under a tree the model is asked only where there is something to decide; what is forced goes in with
the next question, in one pass. Samples that decide alike are one row, so that many samples of a
model that is sure of itself cost no more than one.
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
MOST_TOKENS = 256
Tokens = Sequence[int]


class Rows:
    """Sequences in the middle of being written, with what the model has computed of them."""

    def __init__(self, model: Any, prompts: Sequence[Tokens]) -> None:
        self._model = model
        shared = common_prefix(prompts)
        self._cache: Any = None
        if shared:
            first = torch.tensor([list(prompts[0][:shared])])
            self._cache = model.base_model(first, use_cache=True).past_key_values
            self._cache.batch_repeat_interleave(len(prompts))
        self._seen = torch.ones(len(prompts), shared, dtype=torch.long)
        self.pending: list[list[int]] = [list(prompt[shared:]) for prompt in prompts]

    def read(self) -> Any:
        """Take in what is pending, at least a token for each row; return the logits after it."""
        longest = max(len(row) for row in self.pending)
        ids = torch.zeros(len(self.pending), longest, dtype=torch.long)
        real = torch.zeros_like(ids)
        for number, row in enumerate(self.pending):
            ids[number, : len(row)] = torch.tensor(row)
            real[number, : len(row)] = 1
        places = self._seen.sum(1, keepdim=True) + torch.arange(longest)
        self._seen = torch.cat([self._seen, real], dim=1)
        out = self._model.base_model(
            ids,
            attention_mask=self._seen,
            position_ids=places,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = out.past_key_values
        last = torch.tensor([len(row) - 1 for row in self.pending])
        self.pending = [[] for _ in self.pending]
        return logits(self._model, out.last_hidden_state[torch.arange(len(last)), last])

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows, some of them perhaps several times."""
        chosen = torch.tensor(list(rows), dtype=torch.long)
        self._cache.batch_select_indices(chosen)
        self._seen = self._seen[chosen]
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
    """Return for each prompt how often each reply of its tree was written, by its number.

    At temperature zero it is the likeliest token at each decision, for all samples alike.
    """
    found: list[Counter[int]] = []
    for start in range(0, len(prompts), BATCH):
        some = slice(start, start + BATCH)
        with torch.no_grad():
            found += _batch(model, prompts[some], trees[some], samples, temperature)
    return found


def _batch(
    model: Any,
    prompts: Sequence[Tokens],
    trees: Sequence[tokenization.Node],
    samples: int,
    temperature: float,
) -> list[Counter[int]]:
    found: list[Counter[int]] = [Counter() for _ in prompts]
    branches: list[_Branch] = []
    parents: list[int] = []
    added: list[list[int]] = []

    def follow(parent: int, branch: _Branch, first: list[int]) -> None:
        tokens, node = tokenization.forced_tokens(branch.node)
        if not node.children:
            found[branch.prompt][node.reply] += branch.count
            return
        branch.node = node
        branches.append(branch)
        parents.append(parent)
        added.append(first + tokens)

    for number, tree in enumerate(trees):
        follow(number, _Branch(number, tree, samples), [])
    if not branches:
        return found
    rows = Rows(model, [prompts[number] for number in parents])
    rows.pending = [[*asked, *more] for asked, more in zip(rows.pending, added, strict=True)]
    while branches:
        scores = rows.read()
        before, branches, parents, added = branches, [], [], []
        for number, branch in enumerate(before):
            tokens = tuple(branch.node.children)
            counts = _decided(scores[number, list(tokens)], branch.count, temperature)
            for token, count in zip(tokens, counts, strict=True):
                if count:
                    child = _Branch(branch.prompt, branch.node.children[token], count)
                    follow(number, child, [token])
        if branches:
            rows.keep(parents)
            rows.pending = added
    return found


def _decided(scores: Any, count: int, temperature: float) -> list[int]:
    """Return how many of the samples take each way."""
    if temperature == 0:
        best = int(scores.argmax())
        return [count if way == best else 0 for way in range(len(scores))]
    chances = torch.softmax(scores / temperature, -1)
    drawn = torch.multinomial(chances, count, replacement=True)
    return [int(ways) for ways in torch.bincount(drawn, minlength=len(scores))]


def free(
    model: Any, prompts: Sequence[Tokens], end: int, most: int = MOST_TOKENS
) -> list[list[int]]:
    """Return the likeliest tokens for each prompt, whatever they come to, up to the end token."""
    written: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(prompts), BATCH):
        going = list(range(start, min(start + BATCH, len(prompts))))
        with torch.no_grad():
            rows = Rows(model, [prompts[number] for number in going])
            while going:
                chosen = rows.read().argmax(-1).tolist()
                left = []
                for row, (number, token) in enumerate(zip(going, chosen, strict=True)):
                    written[number].append(token)
                    if token != end and len(written[number]) < most:
                        left.append(row)
                if not left:
                    break
                rows.keep(left)
                going = [going[row] for row in left]
                rows.pending = [[written[number][-1]] for number in going]
    return written
