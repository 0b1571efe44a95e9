"""Runs a model over sequences that begin alike, computing what they share only once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from reme_lab.training.tokenization import Example


def hidden_after(
    model: Any,
    prefix: Sequence[int],
    rest: Sequence[Sequence[int]],
    *,
    places: Any = None,
    mask: Any = None,
) -> Any:
    """Return the last hidden states of `rest`, each read after the prefix: (rows, longest, width).

    Rows are padded on the right, where causal attention does not look; what stands at the padding
    is meaningless. Gradients flow through the prefix as well. `places` (rows, longest) are the
    positions and `mask` (rows, 1, longest, prefix + longest) what looks where, if not as usual.
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
    if places is None:
        places = torch.arange(start, start + longest).expand(len(rest), -1)
    return model.base_model(
        ids,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=cache is not None,
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


def group_states(model: Any, shared: int, groups: Sequence[Sequence[Example]]) -> list[list[Any]]:
    """Return what `reply_states` does, for groups of replies to one prompt each.

    The replies of a group stand behind each other in one row and do not see one another: a prompt
    is computed once, however many replies to it there are.
    """
    rest = [
        [*group[0].prompt[shared:], *(token for one in group for token in one.reply)]
        for group in groups
    ]
    longest = max(len(row) for row in rest)
    places = torch.zeros(len(groups), longest, dtype=torch.long)
    mask = torch.zeros(len(groups), 1, longest, shared + longest, dtype=torch.bool)
    mask[..., 0] = True  # what stands at the padding must look somewhere
    starts: list[list[int]] = []
    for number, group in enumerate(groups):
        asked = len(group[0].prompt) - shared
        places[number, :asked] = torch.arange(shared, shared + asked)
        mask[number, 0, :asked, : shared + asked] = _causal(asked, shared)
        at = asked
        starts.append([])
        for one in group:
            end = at + len(one.reply)
            places[number, at:end] = torch.arange(shared + asked, shared + asked + len(one.reply))
            mask[number, 0, at:end, : shared + asked] = True
            mask[number, 0, at:end, shared + at : shared + end] = _causal(len(one.reply), 0)
            starts[-1].append(at)
            at = end
    prefix = groups[0][0].prompt[:shared]
    hidden = hidden_after(model, prefix, rest, places=places, mask=mask)
    found = []
    for number, group in enumerate(groups):
        last = len(group[0].prompt) - shared - 1
        asked_last = hidden[number, last : last + 1]
        found.append(
            [
                torch.cat([asked_last, hidden[number, at : at + len(one.reply) - 1]])
                for at, one in zip(starts[number], group, strict=True)
            ]
        )
    return found


def _causal(length: int, before: int) -> Any:
    return torch.ones(length, before + length, dtype=torch.bool).tril(before)


def reply_loss(model: Any, shared: int, examples: Sequence[Example]) -> Any:
    """Return the mean cross entropy of the replies' tokens; prompts carry no loss."""
    states = torch.cat(reply_states(model, shared, examples))
    wanted = torch.tensor([token for one in examples for token in one.reply])
    return functional.cross_entropy(logits(model, states), wanted)
