"""Predicts from one forward pass over the expected reply whether the model would generate it.

Greedy decoding generates the expected reply if each of its tokens is the most likely one; with the
grammar, if that holds wherever another token is possible.
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
    """Loss of the expected reply of one incident, and whether the model would generate it."""

    loss: float
    tokens: int
    free: bool
    constrained: bool | None
    """None if the possible replies are not known."""


def force_replies(model: Any, encoder: Encoder, incidents: Sequence[Incident]) -> list[ForcedReply]:
    """Return the prediction for each incident, in order."""
    examples = [encoder.example(incident) for incident in incidents]
    shared = common_prefix([example.prompt for example in examples])
    by_length = sorted(range(len(examples)), key=lambda i: examples[i].length)
    predictions: dict[int, ForcedReply] = {}
    model.eval()
    with torch.no_grad():
        for start in range(0, len(by_length), _BATCH):
            batch = by_length[start : start + _BATCH]
            states = reply_states(model, shared, [examples[i] for i in batch])
            for i, state in zip(batch, states, strict=True):
                tree = tokenization.build_tree(encoder.replies(incidents[i].possible))
                predictions[i] = _predict(logits(model, state), examples[i], tree)
    model.train()
    return [predictions[i] for i in range(len(examples))]


def _predict(scores: Any, example: Example, tree: tokenization.Node) -> ForcedReply:
    expected = torch.tensor(example.reply)
    loss = functional.cross_entropy(scores, expected, reduction="sum")
    free = bool((scores.argmax(-1) == expected).all())
    constrained = None
    if tree.children:
        constrained = all(
            max(possible, key=lambda token: float(scores[place, token])) == example.reply[place]
            for place, possible in tokenization.decisions(tree, example.reply)
        )
    return ForcedReply(float(loss), len(example.reply), free, constrained)


def summary(predictions: Sequence[ForcedReply]) -> dict[str, float]:
    """Return the loss per token, and the shares of replies that would be generated exactly."""
    constrained = [
        prediction.constrained for prediction in predictions if prediction.constrained is not None
    ]
    figures = {
        "dev_loss": sum(prediction.loss for prediction in predictions)
        / sum(prediction.tokens for prediction in predictions),
        "free_exact": sum(prediction.free for prediction in predictions) / len(predictions),
    }
    if constrained:
        figures["constrained_exact"] = sum(constrained) / len(constrained)
    return figures
