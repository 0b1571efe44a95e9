"""The commands that decide about remediations."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import yaml
from cyclopts import App, Parameter

from reme_api.approval import ApprovalDecision
from reme_api.remediation import Attempt, Remediation
from reme_operator.cli import spec_patches
from reme_operator.cli.cluster import CliCluster, ClusterOptions
from reme_operator.cli.errors import CliError, ExitCode
from reme_operator.cli.remediation_text import change_lines
from reme_operator.cli.terminal import Output, escape
from reme_operator.decision.plan_approval import waits_for_person

_POLL_SECONDS = 0.5
_DEFAULTS = ClusterOptions()

Name = Annotated[str, Parameter(help="Name of a Remediation.")]
Reason = Annotated[str, Parameter(help="Reason, stored with the record.")]
Seconds = Annotated[int, Parameter(show_default=True)]


def register(app: App) -> None:
    """Add the commands to the program."""
    for command in (approve, reject, edit, rollback, cancel, suspend, resume):
        app.command(command)


def approve(
    name: Name,
    /,
    *,
    plan: str = "",
    yes: Annotated[bool, Parameter(alias="-y", negative=())] = False,
    reason: Reason = "",
    options: ClusterOptions = _DEFAULTS,
) -> int:
    """Show the plan, ask, and let it run.

    Args:
        plan: Digest of the plan to approve; fails if the plan is another one, and does not ask.
        yes: Do not ask.

    """
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        attempt = spec_patches.attempt_to_decide(remediation)
        assert attempt.plan is not None, "what waits has a plan"
        if plan and plan != attempt.plan.digest:
            raise CliError(
                f"the plan of {name} is not {plan}, but {attempt.plan.digest}.\n"
                f"`kubectl reme show {name}` shows it."
            )
        _print_plan(cluster, remediation, attempt, options)
        if not plan and not yes and not _confirm("Let this run?"):
            print("Nothing was decided.", file=sys.stderr)
            return ExitCode.NEGATIVE
        decision = ApprovalDecision.APPROVE
        spec = spec_patches.approval(remediation, decision, cluster.username(), reason)
        cluster.patch(name, spec)
    print(f"{name}: approved plan {attempt.plan.digest}")
    return ExitCode.DONE


def reject(name: Name, /, *, reason: Reason, options: ClusterOptions = _DEFAULTS) -> int:
    """End a remediation without running its plan."""
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        decision = ApprovalDecision.REJECT
        spec = spec_patches.approval(remediation, decision, cluster.username(), reason)
        cluster.patch(name, spec)
    print(f"{name}: rejected")
    return ExitCode.DONE


def edit(
    name: Name,
    /,
    *,
    file: Annotated[str, Parameter(alias="-f")] = "",
    reason: Reason = "",
    timeout: Seconds = 60,
    options: ClusterOptions = _DEFAULTS,
) -> int:
    """Replace the playbook, and show the plan of the new one; it needs an approval of its own.

    Args:
        file: File with the new playbook, or `-` for standard input; by default an editor opens.
        timeout: Seconds to wait for the new plan.

    """
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        before = spec_patches.attempt_to_decide(remediation)
        assert before.playbook is not None, "what waits has a playbook"
        if file:
            text = _read(file)
        else:
            stored = cluster.artifact(remediation.metadata.namespace, before.playbook)
            if stored is None:
                raise CliError(
                    f"the playbook in ConfigMap {before.playbook.name} is gone;"
                    " write one and use --file"
                )
            text = _edit(stored)
        decision = ApprovalDecision.EDIT
        spec = spec_patches.approval(remediation, decision, cluster.username(), reason, text)
        cluster.patch(name, spec)
        known = len(before.approvals)

        def is_answered(now: Remediation) -> bool:
            last = now.status.attempts[-1]
            return (
                now.status.outcome is not None
                or (len(last.approvals) > known and bool(last.approvals[-1].refusal_message))
                or (last.playbook != before.playbook and waits_for_person(now))
            )

        now = _wait(cluster, name, is_answered, timeout)
        last = now.status.attempts[-1]
        if len(last.approvals) > known and (refusal := last.approvals[-1].refusal_message):
            raise CliError(f"the edited playbook may not run: {escape(refusal)}", ExitCode.NEGATIVE)
        if now.status.outcome is not None:
            raise CliError(f"{name} ended meanwhile: {escape(now.status.message)}")
        _print_plan(cluster, now, last, options)
    print(f"\nThis plan is not approved yet: kubectl reme approve {name}")
    return ExitCode.DONE


def rollback(
    name: Name,
    /,
    *,
    reason: Reason = "",
    wait: bool = True,
    timeout: Seconds = 300,
    options: ClusterOptions = _DEFAULTS,
) -> int:
    """Roll back an ended remediation: the operator restores every field that it changed.

    Args:
        wait: Wait until the rollback has ended.
        timeout: Seconds to wait.

    """
    with options.connect() as cluster:
        remediation = cluster.remediation(name)
        spec = spec_patches.rollback(remediation, cluster.username(), reason)
        number = spec["rollback"]["number"]
        cluster.patch(name, spec)
        if not wait:
            print(f"{name}: rollback {number} requested")
            return ExitCode.DONE

        def has_ended(now: Remediation) -> bool:
            return any(r.number == number and r.outcome for r in now.status.manual_rollbacks)

        now = _wait(cluster, name, has_ended, timeout)
    ended = next(r for r in now.status.manual_rollbacks if r.number == number)
    print(f"{name}: {ended.outcome}: {escape(ended.message)}")
    return ExitCode.DONE if ended.outcome == "RolledBack" else ExitCode.NEGATIVE


def cancel(name: Name, /, *, options: ClusterOptions = _DEFAULTS) -> int:
    """End a remediation, and roll back what it has changed."""
    return _set(options, name, "cancel requested; its changes are rolled back", cancel=True)


def suspend(name: Name, /, *, options: ClusterOptions = _DEFAULTS) -> int:
    """Hold a remediation before its next change."""
    return _set(options, name, "suspended before its next change", suspend=True)


def resume(name: Name, /, *, options: ClusterOptions = _DEFAULTS) -> int:
    """Let a suspended remediation continue."""
    return _set(options, name, "resumed", suspend=False)


def _set(options: ClusterOptions, name: str, result: str, **fields: bool) -> int:
    with options.connect() as cluster:
        outcome = cluster.remediation(name).status.outcome
        if outcome is not None:
            raise CliError(f"{name} has ended already with {outcome}")
        cluster.patch(name, fields)
    print(f"{name}: {result}")
    return ExitCode.DONE


def _print_plan(
    cluster: CliCluster, remediation: Remediation, attempt: Attempt, options: ClusterOptions
) -> None:
    assert attempt.plan is not None, "what waits has a plan"
    meta, output = remediation.metadata, Output(options.color)
    digest = attempt.plan.digest
    output.print(f"{meta.namespace}/{meta.name}, attempt {attempt.number}, plan {digest}")
    output.lines(f"  {escape(action.summary)}" for action in attempt.actions)
    output.lines(change_lines(cluster.changes(remediation, attempt)))


def _wait(
    cluster: CliCluster, name: str, check: Callable[[Remediation], bool], timeout_seconds: int
) -> Remediation:
    deadline = time.monotonic() + timeout_seconds
    while not check(now := cluster.remediation(name)):
        if time.monotonic() >= deadline:
            raise CliError(
                f"{name}: the operator did not answer within {timeout_seconds} s.\n"
                f"`kubectl reme show {name}` shows how far it is; check that the operator runs."
            )
        time.sleep(_POLL_SECONDS)
    return now


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CliError("cannot ask, standard input is no terminal: use --yes, or --plan DIGEST")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}") from None


def _edit(playbook: str) -> str:
    """Return the playbook as the person has changed it in their editor."""
    try:
        text = yaml.safe_dump(json.loads(playbook), sort_keys=False, width=100)
    except ValueError:
        text = playbook  # stored as it is: the person decides what to do with it
    editor = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="reme-") as folder:
        path = Path(folder) / "playbook.yaml"
        path.write_text(text)
        done = subprocess.run(["/bin/sh", "-c", f'{editor} "$1"', "edit", str(path)], check=False)
        after = _read(str(path))
    if done.returncode:
        raise CliError(f"{editor} ended with {done.returncode}: nothing was sent")
    if after == text:
        raise CliError("the playbook was not changed: nothing was sent")
    return after
