"""Looks at reports one after the other: so budgets and locks cannot be raced for.

Level-triggered: an event only says that a report is worth a look, and what it looks like comes
from what exists. A report that was refused is looked at again when its time comes, when its policy
changes, or when a remediation ends. The one place that creates remediations.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from reme_api.conditions import find_condition
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportStatus
from reme_api.policy import RemediationPolicy
from reme_api.reasons import ConditionType, Reason
from reme_api.remediation import Remediation
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    NotFoundError,
)
from reme_kube.events import EventType
from reme_kube.resources import REMEDIATION_POLICIES
from reme_operator.admission.admit import (
    Accept,
    Admission,
    AdmissionInput,
    AlreadyAdmitted,
    Refuse,
    admit,
)
from reme_operator.admission.budgets import RETRY_INTERVAL
from reme_operator.admission.cache import AdmissionCache
from reme_operator.admission.limits import limits
from reme_operator.admission.policy_parsing import parse_policy
from reme_operator.admission.policy_selection import UnreadablePolicy
from reme_operator.admission.remediation_index import RemediationIndex, RemediationInfo, entry
from reme_operator.admission.report_status import compose
from reme_operator.admission.storm import urgency
from reme_operator.admission.storm_monitor import WAITS_FOR_ANOTHER, PendingReport, StormMonitor
from reme_operator.errors import LeadershipLostError, one_line
from reme_operator.kill_switch.state import KillSwitchState
from reme_operator.steps.context import Dependencies

_log = structlog.get_logger(__name__)

_FIRST_BACKOFF = timedelta(seconds=1)
_LONGEST_BACKOFF = timedelta(seconds=60)


@dataclass(slots=True)
class QueuedReport:
    """A report on the desk."""

    report: DiagnosisReport
    due: datetime | None
    reason: Reason | None = None  # why it was refused
    failures: int = 0


@dataclass(slots=True)
class ReportController:
    """All reports, and the policies that they may fall under."""

    deps: Dependencies
    index: RemediationIndex
    _queue: dict[str, QueuedReport] = field(default_factory=dict)
    _current: QueuedReport | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    cache: AdmissionCache = field(init=False)
    _storm_monitor: StormMonitor = field(init=False)

    def __post_init__(self) -> None:
        self.cache = AdmissionCache(self.deps.cluster)
        self._storm_monitor = StormMonitor(self.deps, self.index, self.cache)
        self.deps.switch.watch(self.switch_changed)

    @property
    def waiting(self) -> int:
        """How many reports are refused for now."""
        return sum(f.reason is not None for f in self._queue.values())

    def put(self, report: DiagnosisReport) -> None:
        """Take a report that is new or has changed."""
        uid, now = report.metadata.uid, self.deps.clock.now()
        known = self._queue.get(uid)
        if known is None:
            self._queue[uid] = QueuedReport(report, now)
        else:
            if known.report.metadata.generation != report.metadata.generation:
                known.due = now
            known.report = report
        self._storm_monitor.changed()
        self._wake.set()

    def drop(self, uid: str) -> None:
        """Forget a report that is gone."""
        self._queue.pop(uid, None)
        self._storm_monitor.changed()

    def put_policy(self, policy: RemediationPolicy) -> None:
        """Take a policy that is new or has changed, and look again at what was refused."""
        uid, cache = policy.metadata.uid, self.cache
        mended = cache.unreadable.pop(uid, None) is not None
        before = cache.policies.get(uid)
        cache.policies[uid] = policy
        if mended or before is None or before.metadata.generation != policy.metadata.generation:
            self._look_again(set(Reason))

    def put_unreadable(self, uid: str, broken: UnreadablePolicy) -> None:
        """Take a policy that does not fit its type: nothing is decided as if it were not there."""
        self.cache.policies.pop(uid, None)
        self.cache.unreadable[uid] = broken
        self._look_again(set(Reason))

    def policy(self, key: str) -> RemediationPolicy | None:
        """Return a policy by its namespace/name."""
        return self.cache.policy(key)

    def policies(self) -> tuple[RemediationPolicy, ...]:
        """Return all policies that can be read."""
        return tuple(self.cache.policies.values())

    def drop_policy(self, uid: str) -> None:
        """Forget a policy that is gone."""
        known = self.cache.policies.pop(uid, None)
        if known or self.cache.unreadable.pop(uid, None):
            self._look_again(set(Reason))

    def switch_changed(self, state: KillSwitchState) -> None:
        """Look again at what waits, once the kill switch is off."""
        if not state.on:
            self._look_again({Reason.KILL_SWITCH})

    def remediation_changed(self, found: RemediationInfo, *, gone: bool = False) -> None:
        """Look at the report of a remediation, and at those that waited for its end."""
        if mine := self._queue.get(found.report_uid):
            mine.due = self.deps.clock.now()
        self._storm_monitor.changed()
        if gone or not found.open:
            self._look_again(WAITS_FOR_ANOTHER)
        self._wake.set()

    def _look_again(self, reasons: AbstractSet[Reason]) -> None:
        now = self.deps.clock.now()
        for waiting in self._queue.values():
            # Of the one that is being looked at, the reason is not known yet: it may be one of
            # these, found with what was there before the change.
            if waiting.reason in reasons or waiting is self._current:
                waiting.due = now
        self._wake.set()

    async def run(self) -> None:
        """Look at whatever is due, forever, once it is known what there is."""
        await self._load_remediations()
        while True:
            now = self.deps.clock.now()
            due = [f for f in self._queue.values() if f.due is not None]
            if not due:
                await self._wake.wait()
                self._wake.clear()
                continue
            first = min(due, key=lambda f: (max(f.due or now, now), urgency(f.report, now)))
            if first.due is not None and first.due > now:
                await self._wait_until(first.due - now)
                continue
            await self._process(first)

    async def _load_remediations(self) -> None:
        """Learn of every remediation that there is: budgets count them all."""
        while True:
            try:
                found = await self.deps.cluster.list_objects(Remediation)
            except ClusterError as error:
                _log.warning("desk.not_ready", error=one_line(error))
                await self.deps.clock.sleep(_FIRST_BACKOFF.total_seconds())
            else:
                now = self.deps.clock.now()
                self.index.merge(entry(r, now) for r in found)
                return

    async def _wait_until(self, span: timedelta) -> None:
        try:
            async with asyncio.timeout(span.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _process(self, file: QueuedReport) -> None:
        report = file.report
        file.due, self._current = None, file
        log = _log.bind(namespace=report.metadata.namespace, name=report.metadata.name)
        try:
            admission = await self.look(report)
        except NotFoundError:
            self._queue.pop(report.metadata.uid, None)
        except ConflictError:
            await self._reread(file)
        except Exception as error:  # noqa: BLE001 - one bad report must not stop the others
            file.failures += 1
            log.warning("report.failed", error=one_line(error), count=file.failures)
            delay = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** min(file.failures, 10))
            file.due = self.deps.clock.now() + delay
        else:
            file.failures = 0
            file.reason = admission.reason if isinstance(admission, Refuse) else None
            self._count_waiting()
            retry = admission.retry_at if isinstance(admission, Refuse) else None
            if retry is not None and (file.due is None or retry < file.due):
                file.due = retry
        finally:
            self._current = None

    def _count_waiting(self) -> None:
        self.deps.metrics.reports_pending(
            Counter(f.reason for f in self._queue.values() if f.reason is not None)
        )

    async def _reread(self, file: QueuedReport) -> None:
        """Look at the report again as it is now: what is known of it is out of date."""
        meta = file.report.metadata
        try:
            file.report = await self.deps.cluster.get_object(
                DiagnosisReport, meta.namespace, meta.name
            )
        except NotFoundError:
            self._queue.pop(meta.uid, None)
            return
        except Exception as error:  # noqa: BLE001 - as above
            _log.warning("report.failed", error=one_line(error))
        file.due = self.deps.clock.now() + timedelta(milliseconds=200)

    async def look(self, report: DiagnosisReport) -> Admission:
        """Admit the report if it can be, and write its status if that has changed."""
        if report.metadata.deletion_timestamp is not None:
            return Refuse(Reason.CANCELLED, "the report is being deleted")
        now = self.deps.clock.now()
        admission = admit(await self._case(report, now), now)
        if isinstance(admission, Accept):
            admission = await self._accept(report, now)
        await self._write(report, admission)
        return admission

    async def _case(self, report: DiagnosisReport, now: datetime) -> AdmissionInput:
        namespace = report.metadata.namespace
        home = self.deps.settings.release_namespace
        lying = (PendingReport(f.report, f.reason) for f in self._queue.values())
        sky = await self._storm_monitor.weather(lying, now)
        return AdmissionInput(
            report=report,
            target=await self.cache.target(namespace, report.spec.target, now),
            policies=tuple(self.cache.policies.values()),
            entries=self.index.entries(),
            release_namespace=home,
            paused=self.deps.settings.paused,
            stopped=self.deps.switch.state.text(),
            unreadable=tuple(self.cache.unreadable.values()),
            limits=limits(self.deps.settings),
            workloads=await self._workloads(namespace),
            storm=sky.place(report.metadata.uid),
        )

    async def _workloads(self, namespace: str) -> int:
        home = self.deps.settings.release_namespace
        if not self.cache.limits_workload_share(namespace, home):
            return 0
        return await self.cache.workloads(namespace)

    async def _accept(self, report: DiagnosisReport, now: datetime) -> Admission:
        """Decide once more on what the API server says now, and create the remediation."""
        namespace = report.metadata.namespace
        current = await self.deps.cluster.get_object(
            DiagnosisReport, namespace, report.metadata.name
        )
        if current.metadata.uid != report.metadata.uid:
            raise NotFoundError("the report was replaced by another")
        if current.metadata.generation != report.metadata.generation:
            raise ConflictError("the report has changed")
        # Nobody else creates remediations while this process leads; but the one that led before
        # may have been at it a moment ago, and a target is never repaired twice at once.
        found = await self.deps.cluster.list_objects(Remediation, namespace)
        self.index.merge(entry(r, now) for r in found)
        policies, unreadable = await self._policies_now(namespace)
        await self.deps.switch.refresh()
        target = await self.cache.target(namespace, report.spec.target, now, fresh=True)
        case = replace(
            await self._case(current, now),
            target=target,
            policies=policies,
            unreadable=unreadable,
            workloads=await self._workloads_under(policies, namespace),
        )
        admission = admit(case, now)
        if isinstance(admission, Refuse) and admission.retry_at is None:
            # The watches told otherwise: whichever is behind may catch up without an event.
            return replace(admission, retry_at=now + RETRY_INTERVAL)
        if not isinstance(admission, Accept):
            return admission
        name = admission.remediation.metadata.name
        self._must_lead()
        try:
            created = await self.deps.cluster.create_object(admission.remediation)
        except AlreadyExistsError:
            return AlreadyAdmitted(name)
        self.index.note(entry(created, now))
        _log.info("report.accepted", namespace=namespace, report=report.metadata.name, name=name)
        return admission

    async def _policies_now(
        self, namespace: str
    ) -> tuple[list[RemediationPolicy], list[UnreadablePolicy]]:
        found: list[RemediationPolicy] = []
        broken: list[UnreadablePolicy] = []
        for where in sorted({namespace, self.deps.settings.release_namespace}):
            for item in await self.deps.cluster.list_resource(REMEDIATION_POLICIES, where):
                policy = parse_policy(item)
                if isinstance(policy, UnreadablePolicy):
                    broken.append(policy)
                else:
                    found.append(policy)
        return found, broken

    async def _workloads_under(self, policies: Sequence[RemediationPolicy], namespace: str) -> int:
        if all(p.spec.budgets.max_workloads_percent >= 100 for p in policies):
            return 0
        return await self.cache.workloads(namespace)

    async def _write(self, report: DiagnosisReport, admission: Admission) -> None:
        now = self.deps.clock.now()
        own: Sequence[RemediationInfo] = self.index.of_report(report.metadata.uid)
        wanted = compose(report, admission, own, now)
        if _is_same_status(report.status, wanted, now):
            return
        self._must_lead()
        written = await self.deps.cluster.write_status(report.model_copy(update={"status": wanted}))
        if file := self._queue.get(report.metadata.uid):
            file.report = written
        await self._post_events(report, written)

    def _must_lead(self) -> None:
        if not self.deps.leading():
            raise LeadershipLostError("this process does not lead any more")

    async def _post_events(self, before: DiagnosisReport, after: DiagnosisReport) -> None:
        accepted = find_condition(after.status.conditions, ConditionType.ACCEPTED)
        old = find_condition(before.status.conditions, ConditionType.ACCEPTED)
        if accepted is not None and (old is None or old.reason is not accepted.reason):
            self.deps.metrics.report_decided(accepted.reason)
        for kind in (ConditionType.ACCEPTED, ConditionType.REMEDIATED):
            was, now = (
                find_condition(before.status.conditions, kind),
                find_condition(after.status.conditions, kind),
            )
            if now is None or now.status == "Unknown":
                continue
            if was is None or (was.status, was.reason) != (now.status, now.reason):
                loud = EventType.NORMAL if now.status == "True" else EventType.WARNING
                await self.deps.cluster.post_event(after, loud, now.reason, kind, now.message)


def _is_same_status(
    before: DiagnosisReportStatus, after: DiagnosisReportStatus, now: datetime
) -> bool:
    """Return whether a write would tell nobody anything: a time to come is as good as another."""
    if before.retry_time is not None and after.retry_time is not None and before.retry_time > now:
        after = after.model_copy(update={"retry_time": before.retry_time})
    return before == after
