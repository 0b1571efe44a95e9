"""What a model would write, told from one pass over the right reply instead of decoding.

Greedy decoding writes the expert's reply when at every token of it no other one is likelier; under
the grammar, when that holds wherever another token was possible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from reme_lab.training import tokenization
from reme_lab.training.dataset import Incident
from reme_lab.training.forward import logits, reply_states
from reme_lab.training.tokenization import Encoder, Example, common_prefix

_BATCH = 16


@dataclass(frozen=True)
class ForcedReply:
    """One incident: the loss summed over the reply, and whether the reply would be written."""

    loss: float
    tokens: int
    free: bool
    constrained: bool | None
    """Nothing where the trace does not tell what is possible."""


def force_replies(model: Any, encoder: Encoder, traces: Sequence[Incident]) -> list[ForcedReply]:
    """Return for each trace, in order, how the model stands to the expert's reply."""
    examples = [encoder.example(trace) for trace in traces]
    shared = common_prefix([one.prompt for one in examples])
    by_length = sorted(range(len(examples)), key=lambda i: examples[i].length)
    found: dict[int, ForcedReply] = {}
    model.eval()
    with torch.no_grad():
        for start in range(0, len(by_length), _BATCH):
            some = by_length[start : start + _BATCH]
            states = reply_states(model, shared, [examples[i] for i in some])
            for i, state in zip(some, states, strict=True):
                tree = tokenization.build_tree(encoder.replies(traces[i].possible))
                found[i] = _judged(logits(model, state), examples[i], tree)
    model.train()
    return [found[i] for i in range(len(examples))]


def _judged(scores: Any, example: Example, tree: tokenization.Node) -> ForcedReply:
    wanted = torch.tensor(example.reply)
    loss = functional.cross_entropy(scores, wanted, reduction="sum")
    free = bool((scores.argmax(-1) == wanted).all())
    constrained = None
    if tree.children:
        constrained = all(
            max(possible, key=lambda token: float(scores[place, token])) == example.reply[place]
            for place, possible in tokenization.decisions(tree, example.reply)
        )
    return ForcedReply(float(loss), len(example.reply), free, constrained)


def summary(probed: Sequence[ForcedReply]) -> dict[str, float]:
    """Return loss per token and the shares of replies that would be written exactly."""
    told = [one.constrained for one in probed if one.constrained is not None]
    figures = {
        "dev_loss": sum(one.loss for one in probed) / sum(one.tokens for one in probed),
        "free_exact": sum(one.free for one in probed) / len(probed),
    }
    if told:
        figures["constrained_exact"] = sum(told) / len(told)
    return figures
