"""The finite set of possible replies as a tree of tokens: what may come next, and what must.

The grammar of the server and this tree say the same: between two decisions there is only one way
to go on, and a model need not be asked about it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


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
