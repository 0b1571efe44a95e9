"""Shows the progress of a remediation, and its record when it has ended."""

import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from reme_api.reasons import Outcome
from reme_api.remediation import Attempt, Remediation
from reme_cluster.kubectl import Kubectl

SUCCESSES = frozenset({Outcome.VERIFIED, Outcome.NO_ACTION_NEEDED})
MARKS = {"True": "[green]✓[/]", "False": "[red]✗[/]", "Unknown": "[yellow]…[/]"}


class FollowError(Exception):
    """The remediation did not start or did not end in time."""


def remediations_of(kubectl: Kubectl, namespace: str, report_uid: str) -> list[Remediation]:
    """Return the remediations of one report, oldest first."""
    remediations = [
        Remediation.model_validate(item)
        for item in kubectl.list("remediations.reme.dev", namespace)
        if item["spec"]["reportRef"]["uid"] == report_uid
    ]
    return sorted(remediations, key=lambda r: r.metadata.name)


def updates(
    kubectl: Kubectl, namespace: str, report: str, timeout_seconds: float
) -> Iterator[Remediation]:
    """Yield the latest remediation of a report twice a second, until it has ended.

    Raises:
        FollowError: the report was refused, or the remediation did not end within the timeout.
    """
    until = time.monotonic() + timeout_seconds
    while time.monotonic() < until:
        item = kubectl.get("diagnosisreports.reme.dev", report, namespace)
        if item is None:
            raise FollowError(f"report {namespace}/{report} was deleted")
        for condition in item.get("status", {}).get("conditions", []):
            if condition["type"] == "Accepted" and condition["status"] == "False":
                raise FollowError(
                    f"report not accepted: {condition['reason']}: {condition['message']}"
                )
        if remediations := remediations_of(kubectl, namespace, item["metadata"]["uid"]):
            yield remediations[-1]
            if remediations[-1].status.outcome:
                return
        time.sleep(0.5)
    raise FollowError(f"the remediation did not end within {timeout_seconds:.0f} s")


def progress(remediation: Remediation) -> RenderableType:
    """Return a panel with the conditions of a remediation."""
    table = Table.grid(padding=(0, 2))
    for condition in remediation.status.conditions:
        table.add_row(
            MARKS[condition.status],
            condition.type,
            condition.reason,
            Text(condition.message[:110], style="dim"),
        )
    title = f"Remediation {remediation.metadata.name}, attempt {len(remediation.status.attempts)}"
    return Panel(table, title=title, title_align="left")


def playbook_text(kubectl: Kubectl, remediation: Remediation, attempt: Attempt) -> str:
    """Return the playbook of an attempt, from the ConfigMap that the record names."""
    if attempt.playbook is None:
        return ""
    config_map = kubectl.get("configmap", attempt.playbook.name, remediation.metadata.namespace)
    text: str = (config_map or {}).get("data", {}).get(attempt.playbook.key, "")
    return text


def _probes(remediation: Remediation, attempt: Attempt) -> Table:
    table = Table("probe", "before", "after", title="Probes", title_justify="left")
    before = (
        {p.name: p for p in remediation.status.baseline.probes}
        if remediation.status.baseline
        else {}
    )
    after = {p.name: p for p in attempt.verification.probes} if attempt.verification else {}
    for name in [*before, *(n for n in after if n not in before)]:
        cells = [
            escape(f"{p.verdict} {p.value}".strip()) if p else "not measured"
            for p in (before.get(name), after.get(name))
        ]
        table.add_row(name, *cells)
    return table


def _steps(remediation: Remediation, attempt: Attempt) -> Table:
    table = Table("step", "seconds", "operator's own work", title="Time", title_justify="left")
    for timing in [*remediation.status.timings, *attempt.timings]:
        table.add_row(
            timing.step,
            f"{timing.duration_milliseconds / 1000:.2f}",
            f"{timing.operator_milliseconds / 1000:.3f}",
        )
    return table


def record(kubectl: Kubectl, remediation: Remediation) -> RenderableType:
    """Return the record of an ended remediation for the console."""
    parts: list[RenderableType] = []
    for attempt in remediation.status.attempts:
        parts.append(Text(f"Attempt {attempt.number}", style="bold"))
        if text := playbook_text(kubectl, remediation, attempt):
            parts.append(Syntax(text, "yaml", word_wrap=True))
        if attempt.rejection:
            parts.append(Text(f"Rejected by {attempt.rejection.rule}: {attempt.rejection.message}"))
        if attempt.generation and attempt.generation.abstention_reason:
            parts.append(Text(f"The model abstained: {attempt.generation.abstention_reason}"))
        if attempt.changes:
            table = Table("object", "field", "before", "after", title="Diff", title_justify="left")
            for change in attempt.changes:
                table.add_row(
                    f"{change.kind}/{change.object_name}",
                    escape(change.field),
                    Text(change.before, style="red"),
                    Text(change.after, style="green"),
                )
            parts.append(table)
        parts += [_probes(remediation, attempt), _steps(remediation, attempt)]
    return Group(*parts)


def verdict(remediation: Remediation) -> str:
    """Return one line with outcome, duration, target and message."""
    status = remediation.status
    colour = "green" if status.outcome in SUCCESSES else "yellow"
    duration = ""
    if status.start_time and status.completion_time:
        duration = f" after {(status.completion_time - status.start_time).total_seconds():.1f} s"
    target = f"{remediation.spec.target.kind}/{remediation.spec.target.name}"
    return f"[bold {colour}]{status.outcome}[/]{duration}: {target}: {escape(status.message)}"


def follow(
    console: Console,
    kubectl: Kubectl,
    namespace: str,
    report: str,
    timeout_seconds: float,
    user_sli: Callable[[], str],
) -> Remediation:
    """Show a remediation until it has ended, with the current SLI of the users.

    Raises:
        FollowError: it did not start or did not end in time.
    """
    last: Remediation | None = None
    start = time.monotonic()
    with Live(console=console, refresh_per_second=4, transient=not console.is_terminal) as live:
        for last in updates(kubectl, namespace, report, timeout_seconds):
            line = Text(f"{time.monotonic() - start:5.1f} s  users: {user_sli()}", style="cyan")
            live.update(Group(progress(last), line))
    if last is None or not last.status.outcome:
        raise FollowError("the remediation did not end")
    return last
