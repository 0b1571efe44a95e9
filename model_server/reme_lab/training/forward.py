"""Forward passes over sequences with a common prefix, which is computed once."""

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
    """Return the last hidden states of `rest` after the prefix: (rows, longest, width).

    Rows are padded on the right; the states at the padding are meaningless. Gradients flow through
    the prefix too. `places` (rows, longest) are the position ids and `mask` (rows, 1, longest,
    prefix + longest) the attention mask, if not the default ones.
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
    """Return the float32 logits of these hidden states only: the vocabulary is large."""
    return model.get_output_embeddings()(hidden).float()


def reply_states(model: Any, shared: int, examples: Sequence[Example]) -> list[Any]:
    """Return for each example the hidden states that predict its reply: (reply tokens, width).

    `shared` is the number of tokens at the start that all prompts have in common.
    """
    rest = [[*example.prompt[shared:], *example.reply] for example in examples]
    hidden = hidden_after(model, examples[0].prompt[:shared], rest)
    return [
        hidden[number, len(row) - len(example.reply) - 1 : len(row) - 1]
        for number, (row, example) in enumerate(zip(rest, examples, strict=True))
    ]


def group_states(model: Any, shared: int, groups: Sequence[Sequence[Example]]) -> list[list[Any]]:
    """Return the same as `reply_states` for groups of replies to the same prompt.

    The replies of a group are concatenated in one row and masked from each other, so that their
    prompt is computed once.
    """
    rest = [
        [*group[0].prompt[shared:], *(token for reply in group for token in reply.reply)]
        for group in groups
    ]
    longest = max(len(row) for row in rest)
    places = torch.zeros(len(groups), longest, dtype=torch.long)
    mask = torch.zeros(len(groups), 1, longest, shared + longest, dtype=torch.bool)
    mask[..., 0] = True  # padding needs some position to attend to
    starts: list[list[int]] = []
    for number, group in enumerate(groups):
        prompt_length = len(group[0].prompt) - shared
        places[number, :prompt_length] = torch.arange(shared, shared + prompt_length)
        mask[number, 0, :prompt_length, : shared + prompt_length] = _causal(prompt_length, shared)
        position = prompt_length
        starts.append([])
        for reply in group:
            end = position + len(reply.reply)
            places[number, position:end] = torch.arange(
                shared + prompt_length, shared + prompt_length + len(reply.reply)
            )
            mask[number, 0, position:end, : shared + prompt_length] = True
            mask[number, 0, position:end, shared + position : shared + end] = _causal(
                len(reply.reply), 0
            )
            starts[-1].append(position)
            position = end
    prefix = groups[0][0].prompt[:shared]
    hidden = hidden_after(model, prefix, rest, places=places, mask=mask)
    states = []
    for number, group in enumerate(groups):
        last = len(group[0].prompt) - shared - 1
        prompt_state = hidden[number, last : last + 1]
        states.append(
            [
                torch.cat(
                    [prompt_state, hidden[number, position : position + len(reply.reply) - 1]]
                )
                for position, reply in zip(starts[number], group, strict=True)
            ]
        )
    return states


def _causal(length: int, before: int) -> Any:
    return torch.ones(length, before + length, dtype=torch.bool).tril(before)


def reply_loss(model: Any, shared: int, examples: Sequence[Example]) -> Any:
    """Return the mean cross entropy of the replies' tokens; prompts have no loss."""
    states = torch.cat(reply_states(model, shared, examples))
    expected = torch.tensor([token for example in examples for token in example.reply])
    return functional.cross_entropy(logits(model, states), expected)
