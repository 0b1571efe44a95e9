"""Writes the page about all actions: `python -m reme_playbook.action_reference`.

`--check` writes nothing, prints what differs and exits with 1. Each action class says in words
what it allows and what a rollback restores; the rest is computed from its example.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from reme_api.generated_files import sync
from reme_playbook.actions.registry import PUBLIC, Action
from reme_playbook.execution.grants import RUN_ROLES, grant_rules
from reme_playbook.execution.render import tasks

HEADER = (
    "<!-- Generated from the code by `python -m reme_playbook.action_reference`; do not edit. -->\n"
)
_INTRODUCTION = """\
A playbook is a small part of Ansible: one play on localhost, or a bare list of tasks, in each of
which one of these actions is written with a module of `kubernetes.core`. What is not on this page
does not compile. A policy allows actions by name, with bounds; validation compares each action with
the objects in the cluster, and rejects what changes nothing, what does not belong to the target,
and what could not be rolled back. New values are never made up: they are steps of numbers, earlier
values (of an earlier revision, or as the owner last applied them), or names of what exists.

A run may get and patch the objects of its actions (a pod: get and delete), and the API server
refuses any other field, and any other value than the action's. Nothing is ever deleted but a pod,
and nothing is created. The example of an action is how a model writes it; what runs is rendered
from the action, with the API version and the title that people see.

The disruption is what a policy's `maxDisruption` is compared with. `Medium` becomes `High` if a
rollout stops every pod that serves before another one does (strategy Recreate, one replica of a
StatefulSet), and so does deleting the only pod that is ready; scaling up is `None`."""
_BOUNDARY = """What each action can touch, within which bounds, with which permissions, and what a
rollback restores. The names of containers, keys and ports are those of the examples below."""
_OUT = Path(__file__).parents[2] / "docs/reference/actions.md"


def reference() -> str:
    """Return the whole page as Markdown."""
    lines = [HEADER, "# Actions", "", _INTRODUCTION, ""]
    lines += ["| Action | Kinds | What it does | Disruption |", "|---|---|---|---|"]
    for name, action in PUBLIC.items():
        what = str(action.__doc__).partition("\n")[0]
        kinds = ", ".join(sorted(action.KINDS))
        lines.append(f"| {_link(name)} | {kinds} | {what} | {action.DISRUPTION} |")
    lines += ["", _BOUNDARY, "", *_boundary()]
    for action in PUBLIC.values():
        lines += ["", *_section(action)]
    return "\n".join(lines) + "\n"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _boundary() -> Iterator[str]:
    yield "| Action | Ansible form | Fields | Bounds | Permissions | Rollback | Disruption |"
    yield "|---|---|---|---|---|---|---|"
    for name, action in PUBLIC.items():
        example = action.example()
        (module,) = example.task()
        cells = (
            _link(name),
            f"`{module.rpartition('.')[2]}`",
            _fields(example),
            action.BOUNDS,
            _permissions(example),
            action.RESTORES,
            str(action.DISRUPTION),
        )
        yield f"| {' | '.join(cells)} |"


def _fields(example: Action) -> str:
    return ", ".join(f"`{field}`" for field in example.granted()) or "the pod itself"


def _permissions(example: Action) -> str:
    (rule,) = grant_rules([example])
    verbs = sorted({verb for role in RUN_ROLES[example.target.plural] for verb in role["verbs"]})
    group = f"{rule.group}/" if rule.group else ""
    return f"`{group}{rule.resource}`, role `run-{example.target.plural}` ({_list(verbs)})"


def _section(action: type[Action]) -> Iterator[str]:
    example = action.example()
    yield f"## {action.NAME}"
    yield ""
    yield f"- Allowed: {action.BOUNDS}."
    yield f"- Writes: {_fields(example)}."
    yield f"- Permissions: {_permissions(example)}."
    yield f"- Rollback: {action.RESTORES}."
    yield ""
    yield "```yaml"
    yield yaml.safe_dump(tasks([example]), sort_keys=False, width=96).rstrip()
    yield "```"


def _list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m reme_playbook.action_reference", description=__doc__
    )
    parser.add_argument("--check", action="store_true", help="write nothing, print what differs")
    parser.add_argument("--out", type=Path, default=_OUT, help="the file to write")
    options = parser.parse_args(arguments)
    return sync({options.out: reference()}, check=options.check)


if __name__ == "__main__":
    sys.exit(main())
