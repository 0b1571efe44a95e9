"""Turns conversations and replies into tokens, just as the server does with the same template."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reme_lab.training.dataset import Incident


@dataclass(frozen=True)
class Example:
    """A prompt and a reply in tokens; the reply ends with the token that ends a turn."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.reply)


class Encoder:
    """A tokenizer with its chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.end: int = tokenizer.eos_token_id
        """The token that ends a reply."""

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> tuple[int, ...]:
        """Return the tokens of a conversation up to where the reply begins."""
        text = self._tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)

    def reply(self, text: str) -> tuple[int, ...]:
        """Return the tokens of a reply, with its end."""
        return (*self._tokenizer(text, add_special_tokens=False).input_ids, self.end)

    def replies(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens of many replies; quicker than one by one."""
        if not texts:
            return []
        found = self._tokenizer(list(texts), add_special_tokens=False).input_ids
        return [(*ids, self.end) for ids in found]

    def example(self, trace: Incident) -> Example:
        """Return a trace with the expert's reply."""
        asked = self.prompt([message.model_dump() for message in trace.messages])
        return Example(asked, self.reply(trace.answer))

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of a reply, without its end."""
        kept = list(tokens)
        if self.end in kept:
            kept = kept[: kept.index(self.end)]
        return str(self._tokenizer.decode(kept, skip_special_tokens=True))


def common_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many first tokens all prompts share; at least one is left to each."""
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
    """A point in a reply; without children, its end."""

    children: dict[int, "Node"] = field(default_factory=dict)
    reply: int = -1
    """Number of the reply that ends here."""


def build_tree(sequences: Iterable[Sequence[int]]) -> Node:
    """Return the tree of token sequences, each of which ends in the same token, which ends it."""
    root = Node()
    for number, sequence in enumerate(sequences):
        node = root
        for token in sequence:
            node = node.children.setdefault(token, Node())
        node.reply = number
    return root


def forced_tokens(node: Node) -> tuple[list[int], Node]:
    """Return the tokens that must come now, and where they lead: to a decision or to the end."""
    tokens: list[int] = []
    while len(node.children) == 1:
        ((token, node),) = node.children.items()
        tokens.append(token)
    return tokens, node


def decisions(root: Node, sequence: Sequence[int]) -> list[tuple[int, tuple[int, ...]]]:
    """Return the places in a reply where another token was possible, and the tokens there."""
    found: list[tuple[int, tuple[int, ...]]] = []
    node = root
    for place, token in enumerate(sequence):
        if len(node.children) > 1:
            found.append((place, tuple(node.children)))
        node = node.children[token]
    return found
