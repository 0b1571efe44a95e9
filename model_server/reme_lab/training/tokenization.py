"""Tokenizes prompts and replies as the server does, and arranges possible replies in a tree."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reme_lab.training.dataset import Incident


@dataclass(frozen=True)
class Example:
    """A prompt and a reply in tokens; the reply includes the end token."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.prompt) + len(self.reply)


class Encoder:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.end: int = tokenizer.eos_token_id
        """The token that ends a reply."""

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> tuple[int, ...]:
        """Return the tokens of a conversation up to the start of the reply."""
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)

    def reply(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a reply, with the end token."""
        return (*self._tokenizer(text, add_special_tokens=False).input_ids, self.end)

    def replies(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens of many replies; faster than one at a time."""
        if not texts:
            return []
        sequences = self._tokenizer(list(texts), add_special_tokens=False).input_ids
        return [(*ids, self.end) for ids in sequences]

    def example(self, incident: Incident) -> Example:
        """Return an incident with its expected reply."""
        prompt = self.prompt([message.model_dump() for message in incident.messages])
        return Example(prompt, self.reply(incident.answer))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of a reply, without the end token."""
        reply = list(tokens)
        if self.end in reply:
            reply = reply[: reply.index(self.end)]
        return str(self._tokenizer.decode(reply, skip_special_tokens=True))


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all prompts share; at least one token of each is excluded."""
    if not prompts:
        return 0
    first, last = min(map(tuple, prompts)), max(map(tuple, prompts))
    shortest = min(len(prompt) for prompt in prompts)
    same = 0
    while same < shortest - 1 and first[same] == last[same]:
        same += 1
    return same


@dataclass(slots=True)
class Node:
    """A node in the tree of possible replies; without children, the end of a reply."""

    children: dict[int, "Node"] = field(default_factory=dict)
    reply: int = -1
    """Number of the reply that ends here."""


def build_tree(sequences: Iterable[Sequence[int]]) -> Node:
    """Return the tree of token sequences; every sequence must end with the end token."""
    root = Node()
    for number, sequence in enumerate(sequences):
        node = root
        for token in sequence:
            node = node.children.setdefault(token, Node())
        node.reply = number
    return root


def forced_tokens(node: Node) -> tuple[list[int], Node]:
    """Return the tokens without an alternative, and the node after them."""
    tokens: list[int] = []
    while len(node.children) == 1:
        ((token, node),) = node.children.items()
        tokens.append(token)
    return tokens, node


def decisions(root: Node, sequence: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the positions in a reply with an alternative, and the possible tokens there."""
    positions: list[tuple[int, tuple[int, ...]]] = []
    node = root
    for place, token in enumerate(sequence):
        if len(node.children) > 1:
            positions.append((place, tuple(node.children)))
        node = node.children[token]
    return positions
