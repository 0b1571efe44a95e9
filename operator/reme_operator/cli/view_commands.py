"""The commands that show remediations."""

import json
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from reme_operator.cli.cluster import ClusterOptions
from reme_operator.cli.errors import ExitCode
from reme_operator.cli.investigation_text import replay_lines
from reme_operator.cli.preferences import preferences
from reme_operator.cli.remediation_text import remediation_lines, remediations_table
from reme_operator.cli.replay import replay_decisions, replay_rounds
from reme_operator.cli.terminal import Output
from reme_operator.decision.plan_approval import waits_for_person

_DEFAULTS = ClusterOptions()

AllNamespaces = Annotated[
    bool, Parameter(name="--all-namespaces", alias="-A", negative=(), help="All namespaces.")
]
Name = Annotated[str, Parameter(help="Name of a Remediation.")]


def register(app: App) -> None:
    """Add the commands to the program."""
    app.command(list_remediations, name="list")
    app.command(show)
    app.command(replay)
    app.command(print_preferences, name="preferences")


def list_remediations(
    *,
    all_namespaces: AllNamespaces = False,
    waiting: Annotated[bool, Parameter(negative=())] = False,
    options: ClusterOptions = _DEFAULTS,
) -> int:
    """List remediations, newest first.

    Args:
        waiting: Only those whose plan waits for a decision.

    """
    with options.connect() as cluster:
        remediations, problems = cluster.remediations(all_namespaces=all_namespaces)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    shown = [
        remediation for remediation in remediations if waits_for_person(remediation) or not waiting
    ]
    if not shown:
        where = "any namespace" if all_namespaces else f"namespace {cluster.namespace}"
        what = "remediations wait for a decision" if waiting else "remediations found"
        print(f"No {what} in {where}.", file=sys.stderr)
        return ExitCode.DONE
    now = datetime.now(UTC)
    Output(options.color).print(remediations_table(shown, now, with_namespace=all_namespaces))
    return ExitCode.DONE


def show(name: Name, /, *, options: ClusterOptions = _DEFAULTS) -> int:
    """Show a remediation: state, plan as a diff, decisions, runs, times."""
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        changes = {a.number: cluster.changes(remediation, a) for a in remediation.status.attempts}
    Output(options.color).lines(remediation_lines(remediation, changes))
    return ExitCode.DONE


def replay(name: Name, /, *, options: ClusterOptions = _DEFAULTS) -> int:
    """Choose every recorded round of an investigation again by the rules; change nothing.

    Shows where the choice or the next step would be another one now, for example after an upgrade,
    or where a model chose. Everything is read from the remediation and its artifacts.
    """
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        read = partial(cluster.artifact, remediation.metadata.namespace)
        rounds = list(replay_rounds(remediation, read))
    if not rounds:
        print("No investigation is recorded: its policy has method SoloGen.", file=sys.stderr)
        return ExitCode.DONE
    Output(options.color).lines(replay_lines(rounds, list(replay_decisions(remediation))))
    return ExitCode.DONE


def print_preferences(
    *, all_namespaces: AllNamespaces = False, options: ClusterOptions = _DEFAULTS
) -> int:
    """Print the decisions of people as JSON lines, to train a model on."""
    with options.connect() as cluster:
        remediations, problems = cluster.remediations(all_namespaces=all_namespaces)
        for problem in problems:
            print(f"warning: {problem}", file=sys.stderr)
        for remediation in reversed(remediations):
            read = partial(cluster.artifact, remediation.metadata.namespace)
            for line in preferences(remediation, read):
                print(json.dumps(line, ensure_ascii=False))
    return ExitCode.DONE
