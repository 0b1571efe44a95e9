"""Runs a model over sequences that begin alike, computing what they share only once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from reme_model.training.encode import Example


def hidden_after(model: Any, prefix: Sequence[int], rest: Sequence[Sequence[int]]) -> Any:
    """Return the last hidden states of `rest`, each read after the prefix: (rows, longest, width).

    Rows are padded on the right, where causal attention does not look; what stands at the padding
    is meaningless. Gradients flow through the prefix as well.
    """
    cache = None
    if prefix:
        cache = model.base_model(torch.tensor([list(prefix)]), use_cache=True).past_key_values
        cache.batch_repeat_interleave(len(rest))
    longest = max(len(row) for row in rest)
    ids = torch.zeros(len(rest), longest, dtype=torch.long)
    for number, row in enumerate(rest):
        ids[number, : len(row)] = torch.tensor(row)
    start = len(prefix)
    places = torch.arange(start, start + longest).expand(len(rest), -1)
    return model.base_model(
        ids, position_ids=places, past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state


def logits(model: Any, hidden: Any) -> Any:
    """Return the logits in float32 of the given hidden states only: the vocabulary is large."""
    return model.get_output_embeddings()(hidden).float()


def reply_states(model: Any, shared: int, examples: Sequence[Example]) -> list[Any]:
    """Return for each example the hidden states that predict its reply: (reply tokens, width).

    `shared` is how many first tokens all prompts have in common.
    """
    rest = [[*one.prompt[shared:], *one.reply] for one in examples]
    hidden = hidden_after(model, examples[0].prompt[:shared], rest)
    return [
        hidden[number, len(row) - len(one.reply) - 1 : len(row) - 1]
        for number, (row, one) in enumerate(zip(rest, examples, strict=True))
    ]


def reply_loss(model: Any, shared: int, examples: Sequence[Example]) -> Any:
    """Return the mean cross entropy of the replies' tokens; prompts carry no loss."""
    states = torch.cat(reply_states(model, shared, examples))
    wanted = torch.tensor([token for one in examples for token in one.reply])
    return functional.cross_entropy(logits(model, states), wanted)
