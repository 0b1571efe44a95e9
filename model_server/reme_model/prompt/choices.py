"""Lists the possible actions in one line, for models that answer without a grammar.

With a grammar alone, a model may begin a value that is not offered and be forced to complete it as
another one.
"""

from collections.abc import Sequence

from reme_model.prompt.action_templates import offered_actions
from reme_model.prompt.redact import excerpt, short
from reme_playbook.actions.registry import Action

_MOST_VALUES = 8
_LONGEST = 1600


def list_choices(space: Sequence[Action]) -> str:
    """Return all choices; choices that differ only in their value are listed together."""
    values: dict[str, list[str]] = {}
    for action in offered_actions(space):
        label, value = action.choice(excerpt)
        values.setdefault(label, []).append(value)
    parts = [
        label
        if options == [""]
        else f"{label} {' or '.join(dict.fromkeys(options[:_MOST_VALUES]))}"
        for label, options in values.items()
    ]
    return short("; ".join([*parts, "abstain"]), _LONGEST)
