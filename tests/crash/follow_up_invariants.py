"""Invariants of follow-up reports: one per cause, linked both ways, and told truly."""

from collections import Counter
from collections.abc import Iterator

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.reasons import Outcome, Reason
from reme_api.remediation import Remediation
from reme_operator.decision.conditions import SUCCESSES
from tests.crash.scenarios import SCENARIOS
from tests.crash.world import World
from tests.doubles.shop import GOOD, NAMESPACE


def follow_up_violations(world: World) -> Iterator[tuple[str, str]]:
    """Yield the kind and the description of each violation."""
    reports = [DiagnosisReport.model_validate(o) for o in world.api.all("diagnosisreports")]
    yield from _reports(world, reports)
    for remediation in world.finals.values():
        for kind, text in _record(world, remediation, reports):
            yield kind, f"{remediation.metadata.name}: {text}"
    if "front" in SCENARIOS[world.schedule.scenario].targets:
        front = world.api.get("deployments", NAMESPACE, "front")
        if front is None or front["spec"] != world.before["front"]:
            yield "untrue", "front was changed, and the fault was in the cart"


def _reports(world: World, reports: list[DiagnosisReport]) -> Iterator[tuple[str, str]]:
    links = [report.spec.follow_up_of for report in reports if report.spec.follow_up_of]
    for uid, times in Counter(link.uid for link in links).items():
        if times > 1:
            yield "repeated", f"{times} reports about the cause of {uid}"
    for report in reports:
        link = report.spec.follow_up_of
        first = world.finals.get(link.uid) if link else None
        record = first.status.follow_up if first else None
        if link and (record is None or record.report != report.metadata.name):
            yield "lost", f"no remediation records report {report.metadata.name}"


def _record(
    world: World, first: Remediation, reports: list[DiagnosisReport]
) -> Iterator[tuple[str, str]]:
    record, status = first.status.follow_up, first.status
    if record is None:
        if status.reason in (Reason.CAUSE_REPAIRED, Reason.CAUSE_NOT_REPAIRED):
            yield "incomplete", f"{status.reason} without a follow-up"
        return
    if record.uid and not any(report.metadata.uid == record.uid for report in reports):
        yield "lost", f"report {record.report} is not there"
    others = [r for r in world.finals.values() if r.spec.report_ref.uid == record.uid]
    for other in others if record.uid else ():
        link = other.spec.follow_up_of
        if link is None or link.uid != first.metadata.uid:
            yield "incomplete", f"{other.metadata.name} does not name it"
    if record.remediation and record.remediation not in {r.metadata.name for r in others}:
        yield "untrue", f"{record.remediation} is not the remediation of {record.report}"
    ended = {r.status.outcome for r in others}
    if record.outcome is not None and record.outcome not in ended:
        yield "untrue", f"it says {record.outcome}, and the cause ended with {ended}"
    if status.reason is Reason.CAUSE_REPAIRED:
        cart = world.api.get("deployments", NAMESPACE, "cart")
        image = cart["spec"]["template"]["spec"]["containers"][0]["image"] if cart else ""
        if image != GOOD or record.outcome not in SUCCESSES:
            yield "untrue", f"CauseRepaired after {record.outcome}, and the cart runs {image}"
    if status.outcome is Outcome.VERIFIED and record.completion_time is None:
        yield "incomplete", "Verified, and the follow-up has no end"
