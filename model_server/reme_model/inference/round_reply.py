"""Reads the model's choice in a round of an investigation: one of those that were offered."""

import json
from dataclasses import dataclass

from reme_model.inference.errors import MalformedReplyError, TruncatedReplyError
from reme_model.prompt.round_choice import ACT, FOLLOW, INSPECT, RoundQuestion
from reme_model.prompt.schema import ABSTAIN, Abstain


@dataclass(frozen=True)
class RoundReply:
    """What the model chose; exactly one field is set, or none to act."""

    labels: tuple[str, ...] = ()
    cause: str = ""
    abstention: Abstain | None = None


def parse_round(text: str, question: RoundQuestion, finish_reason: str = "stop") -> RoundReply:
    """Return what was chosen.

    Raises:
        TruncatedReplyError: the reply ends at the limit of tokens.
        MalformedReplyError: it is no choice, or one that was not offered.

    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        if finish_reason == "length":
            raise TruncatedReplyError("the choice was cut off at the limit of tokens") from error
        raise MalformedReplyError("the choice is not valid JSON") from error
    if not isinstance(data, dict) or len(data) != 1:
        raise MalformedReplyError("the choice is not an object with one key")
    ((key, value),) = data.items()
    if key == ACT:
        return RoundReply()
    if key == INSPECT and isinstance(value, list) and value:
        if all(isinstance(label, str) and label in question.labels for label in value):
            return RoundReply(labels=tuple(dict.fromkeys(value))[: question.most])
    elif key == FOLLOW and isinstance(value, str) and value in question.causes:
        return RoundReply(cause=value)
    elif key == ABSTAIN and isinstance(value, str) and value in set(Abstain):
        return RoundReply(abstention=Abstain(value))
    raise MalformedReplyError("the choice is not one of those that were offered")
