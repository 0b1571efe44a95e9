"""`kubectl reme`: the words, and what each of them does. One error is one line, never a trace."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from reme_api.approval import ApprovalDecision
from reme_api.base import ArtifactReference
from reme_api.remediation import Attempt, Change, Remediation
from reme_operator.cli import spec_patches
from reme_operator.cli.cluster import CliError, Kubectl
from reme_operator.cli.preferences import preferences
from reme_operator.cli.remediation_text import plan_lines, show, table, waits
from reme_operator.cli.terminal import Paint, escaped

_POLL_SECONDS = 0.5


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; return 0, or 1 with a line on standard error."""
    given = list(sys.argv[1:] if words is None else words)
    if given[:1] == ["policy"]:
        from reme_operator.cli.policy_explain import main as policy

        return policy(given[1:])
    chosen = _parser().parse_args(given)
    try:
        return _COMMANDS[chosen.command](_cluster(chosen), chosen)
    except CliError as error:
        print(f"kubectl reme: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has had enough; what is left unwritten must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _list(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediations(everywhere=given.all_namespaces)
    if given.waiting:
        found = [one for one in found if waits(one)]
    if not found:
        print("No remediations found.", file=sys.stderr)
        return 0
    print("\n".join(table(found, datetime.now(UTC), everywhere=given.all_namespaces)))
    return 0


def _show(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediation(given.name)
    plans = {a.number: _all_changes(kubectl, found, a) for a in found.status.attempts}
    print("\n".join(show(found, _paint(given), plans)))
    return 0


def _approve(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediation(given.name)
    attempt = spec_patches.planned(found)
    assert attempt.plan is not None, "what waits has a plan"
    if given.plan and given.plan != attempt.plan.digest:
        raise CliError(f"the plan is not {given.plan} any more, but {attempt.plan.digest}")
    _print_plan(kubectl, found, attempt, given)
    if not given.plan and not given.yes and not _sure("Let this run?"):
        print("Nothing was decided.", file=sys.stderr)
        return 1
    spec = spec_patches.approval(found, ApprovalDecision.APPROVE, kubectl.whoami(), given.reason)
    kubectl.patch(given.name, spec)
    print(f"{given.name}: approved plan {attempt.plan.digest}")
    return 0


def _reject(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediation(given.name)
    spec = spec_patches.approval(found, ApprovalDecision.REJECT, kubectl.whoami(), given.reason)
    kubectl.patch(given.name, spec)
    print(f"{given.name}: rejected")
    return 0


def _edit(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediation(given.name)
    before = spec_patches.planned(found)
    assert before.playbook is not None, "what waits has a playbook"
    if given.file:
        text = _file(given.file)
    else:
        kept = kubectl.text(found.metadata.namespace, before.playbook.name, before.playbook.key)
        if kept is None:
            raise CliError(f"the playbook in ConfigMap {before.playbook.name} is gone")
        text = _edited(kept)
    spec = spec_patches.approval(found, ApprovalDecision.EDIT, kubectl.whoami(), given.reason, text)
    kubectl.patch(given.name, spec)
    known = len(before.approvals)

    def taken(now: Remediation) -> bool:
        last = now.status.attempts[-1]
        noted = len(last.approvals) > known
        refused = noted and bool(last.approvals[-1].refusal)
        return (
            now.status.outcome is not None
            or refused
            or (last.playbook != before.playbook and waits(now))
        )

    now = _until(kubectl, given, taken)
    last = now.status.attempts[-1]
    if last.approvals and (refusal := last.approvals[-1].refusal):
        raise CliError(f"the edited playbook may not run: {escaped(refusal)}")
    if now.status.outcome is not None:
        raise CliError(f"{given.name} ended meanwhile: {escaped(now.status.message)}")
    _print_plan(kubectl, now, last, given)
    print(f"\nIt is not approved yet: kubectl reme approve {given.name}")
    return 0


def _undo(kubectl: Kubectl, given: argparse.Namespace) -> int:
    found = kubectl.remediation(given.name)
    spec = spec_patches.undo(found, kubectl.whoami(), given.reason)
    number = spec["undo"]["number"]
    kubectl.patch(given.name, spec)
    if not given.wait:
        print(f"{given.name}: undo {number} asked for")
        return 0

    def over(now: Remediation) -> bool:
        return any(
            u.number == number and u.outcome is not None for u in now.status.manual_rollbacks
        )

    now = _until(kubectl, given, over)
    undo = now.status.manual_rollbacks[-1]
    assert undo.outcome is not None, "it was waited for"
    print(f"{given.name}: {undo.outcome}: {escaped(undo.message)}")
    return 0 if undo.outcome == "RolledBack" else 1


def _field(word: str, name: str, value: bool) -> Callable[[Kubectl, argparse.Namespace], int]:
    def command(kubectl: Kubectl, given: argparse.Namespace) -> int:
        found = kubectl.remediation(given.name)
        if found.status.outcome is not None:
            raise CliError(f"{given.name} is over: it is {found.status.outcome}")
        kubectl.patch(given.name, {name: value})
        print(f"{given.name}: {word}")
        return 0

    return command


def _kept(kubectl: Kubectl, namespace: str, text: ArtifactReference) -> str | None:
    return kubectl.text(namespace, text.name, text.key)


def _preferences(kubectl: Kubectl, given: argparse.Namespace) -> int:
    for found in reversed(kubectl.remediations(everywhere=given.all_namespaces)):
        place = found.metadata.namespace
        for line in preferences(found, partial(_kept, kubectl, place)):
            print(json.dumps(line, ensure_ascii=False))
    return 0


_COMMANDS: dict[str, Callable[[Kubectl, argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "approve": _approve,
    "reject": _reject,
    "edit": _edit,
    "undo": _undo,
    "cancel": _field("to be cancelled; what it did is taken back", "cancel", True),
    "suspend": _field("suspended before its next write", "suspend", True),
    "resume": _field("goes on", "suspend", False),
    "preferences": _preferences,
}


def _all_changes(kubectl: Kubectl, found: Remediation, attempt: Attempt) -> Sequence[Change]:
    """Return the changes in full length, where the record has room for some only."""
    text = attempt.plan.text if attempt.plan else None
    if text is None:
        return attempt.changes
    kept = kubectl.text(found.metadata.namespace, text.name, text.key)
    if kept is None:
        return attempt.changes
    try:
        items = json.loads(kept)
        return [Change.model_construct(**_change(item)) for item in items]
    except (ValueError, TypeError, KeyError, ValidationError):
        return attempt.changes


def _change(item: dict[str, str]) -> dict[str, Any]:
    names = {"kind": "kind", "object_name": "objectName", "field": "field"}
    sides = {"before": item.get("before", ""), "after": item.get("after", "")}
    return {name: item[key] for name, key in names.items()} | sides


def _print_plan(
    kubectl: Kubectl, found: Remediation, attempt: Attempt, given: argparse.Namespace
) -> None:
    assert attempt.plan is not None, "what waits has a plan"
    place = f"{found.metadata.namespace}/{found.metadata.name}"
    print(f"{place}, attempt {attempt.number}, plan {attempt.plan.digest}")
    for action in attempt.actions:
        print(f"  {escaped(action.summary)}")
    for line in plan_lines(_all_changes(kubectl, found, attempt), _paint(given)):
        print(line)


def _until(
    kubectl: Kubectl, given: argparse.Namespace, check: Callable[[Remediation], bool]
) -> Remediation:
    deadline = time.monotonic() + given.timeout
    while not check(now := kubectl.remediation(given.name)):
        if time.monotonic() >= deadline:
            raise CliError(
                f"{given.name}: no answer of the operator in {given.timeout} s; see kubectl reme"
                f" show {given.name}"
            )
        time.sleep(_POLL_SECONDS)
    return now


def _sure(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CliError("say --yes, or which plan with --plan: nobody is there to ask")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _file(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path} cannot be read: {error}") from None


def _edited(kept: str) -> str:
    """Let the person change the playbook in their editor; return what they made of it."""
    text = yaml.safe_dump(json.loads(kept), sort_keys=False, width=100)
    editor = os.environ.get("KUBE_EDITOR") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="reme-") as folder:
        path = Path(folder) / "playbook.yaml"
        path.write_text(text)
        done = subprocess.run(["/bin/sh", "-c", f'{editor} "$1"', "edit", str(path)], check=False)
        after = path.read_text()
    if done.returncode:
        raise CliError(f"{editor} ended with {done.returncode}: nothing was sent")
    if after == text:
        raise CliError("nothing was changed, so nothing was sent")
    return after


def _paint(given: argparse.Namespace) -> Paint:
    if given.color == "auto":
        return Paint(sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    return Paint(given.color == "always")


def _cluster(given: argparse.Namespace) -> Kubectl:
    flags = [
        f"--{name}={value}"
        for name in ("kubeconfig", "context", "as")
        if (value := getattr(given, name if name != "as" else "as_user"))
    ]
    return Kubectl.found(tuple(flags), given.namespace)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-n", "--namespace", default="", help="namespace; the context's if absent")
    shared.add_argument("--context", default="", help="context of the kubeconfig")
    shared.add_argument("--kubeconfig", default="", help="file of the kubeconfig")
    shared.add_argument("--as", dest="as_user", default="", help="act as another user")
    shared.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    named = argparse.ArgumentParser(add_help=False, parents=[shared])
    named.add_argument("name", help="name of a Remediation")

    whole = argparse.ArgumentParser(
        prog="kubectl reme",
        description="See what reme does, and decide about it.",
        epilog="`kubectl reme policy explain REPORT` says what would be allowed.",
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, parent: argparse.ArgumentParser, words: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[parent], help=words, description=words)

    one = add("list", shared, "list remediations, the newest first")
    one.add_argument("-A", "--all-namespaces", action="store_true")
    one.add_argument("--waiting", action="store_true", help="only those that wait for a decision")
    add("show", named, "show the record, the plan as a diff, and the times")
    one = add("approve", named, "show the plan, and let it run")
    one.add_argument("--plan", default="", help="digest of the plan, to be sure and not be asked")
    one.add_argument("-y", "--yes", action="store_true", help="do not ask")
    one.add_argument("--reason", default="", help="kept with the record")
    one = add("reject", named, "end it without a run")
    one.add_argument("--reason", required=True, help="kept with the record")
    one = add("edit", named, "put another playbook through the gate, and see its plan")
    one.add_argument("-f", "--file", default="", help="the playbook; - is standard input")
    one.add_argument("--reason", default="", help="kept with the record")
    one.add_argument("--timeout", type=int, default=60, help="seconds to wait for the plan")
    one = add("undo", named, "take an ended remediation back")
    one.add_argument("--reason", default="", help="kept with the record")
    one.add_argument("--no-wait", dest="wait", action="store_false", help="only ask for it")
    one.add_argument("--timeout", type=int, default=300, help="seconds to wait for the end")
    add("cancel", named, "end it, and take back what it did")
    add("suspend", named, "hold it before its next write")
    add("resume", named, "let it go on")
    one = add("preferences", shared, "print what people decided as lines of JSON, to train on")
    one.add_argument("-A", "--all-namespaces", action="store_true")
    return whole


if __name__ == "__main__":
    sys.exit(main())
