"""The queue and reconciler of reports: one report at a time, so that budgets cannot be raced.

Level-triggered: an event says only that a report is due, and the decision is made on what exists.
A refused report is due again at its retry time, when a policy changes, or when a remediation
ends. The one place that creates remediations.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from reme_api.conditions import Status, find_condition
from reme_api.diagnosis_report import DiagnosisReport, DiagnosisReportStatus
from reme_api.policy import RemediationPolicy
from reme_api.reasons import ConditionType, Reason
from reme_api.remediation import Remediation
from reme_kube.errors import (
    AlreadyExistsError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from reme_kube.events import EventType
from reme_kube.resources import REMEDIATION_POLICIES, Json
from reme_operator.admission.admit import (
    Accept,
    Admission,
    AdmissionInput,
    AlreadyAdmitted,
    Refuse,
    admit,
)
from reme_operator.admission.budgets import RETRY_INTERVAL, OperatorLimits
from reme_operator.admission.cache import AdmissionCache
from reme_operator.admission.policy_validation import UnreadablePolicy, parse_policy
from reme_operator.admission.remediation_index import (
    RemediationIndex,
    RemediationInfo,
    remediation_info,
)
from reme_operator.admission.report_status import report_status
from reme_operator.admission.storm import urgency
from reme_operator.admission.storm_monitor import WAITS_FOR_OTHERS, PendingReport, StormMonitor
from reme_operator.dependencies import Dependencies
from reme_operator.errors import one_line
from reme_operator.kill_switch.state import KillSwitchState

_log = structlog.get_logger(__name__)

_FIRST_BACKOFF = timedelta(seconds=1)
_MAX_BACKOFF = timedelta(seconds=60)
_CONFLICT_BACKOFF = timedelta(milliseconds=200)


@dataclass(slots=True)
class QueuedReport:
    """A report in the queue."""

    report: DiagnosisReport
    due: datetime | None
    reason: Reason | None = None  # why it was refused
    failures: int = 0


@dataclass(slots=True)
class ReportController:
    """All reports, and the policies that they may fall under."""

    deps: Dependencies
    index: RemediationIndex
    cache: AdmissionCache = field(init=False)
    _queue: dict[str, QueuedReport] = field(default_factory=dict)
    _current: QueuedReport | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _storm_monitor: StormMonitor = field(init=False)

    def __post_init__(self) -> None:
        self.cache = AdmissionCache(self.deps.cluster)
        self._storm_monitor = StormMonitor(self.deps, self.index, self.cache)
        self.deps.switch.subscribe(self.kill_switch_changed)

    # what the watches bring -------------------------------------------------------------------

    def put(self, report: DiagnosisReport) -> None:
        """Queue a report that is new or has changed."""
        uid, now = report.metadata.uid, self.deps.clock.now()
        queued = self._queue.get(uid)
        if queued is None:
            self._queue[uid] = QueuedReport(report, now)
        else:
            if queued.report.metadata.generation != report.metadata.generation:
                queued.due = now
            queued.report = report
        self._storm_monitor.invalidate()
        self._wake.set()

    def drop(self, uid: str) -> None:
        """Forget a report that was deleted."""
        self._queue.pop(uid, None)
        self._storm_monitor.invalidate()

    def put_policy(self, policy: RemediationPolicy) -> None:
        """Take a policy that is new or has changed; what was refused is due again."""
        uid, cache = policy.metadata.uid, self.cache
        was_unreadable = cache.unreadable.pop(uid, None) is not None
        before = cache.policies.get(uid)
        cache.policies[uid] = policy
        changed = before is None or before.metadata.generation != policy.metadata.generation
        if was_unreadable or changed:
            self._requeue(set(Reason))

    def put_unreadable(self, uid: str, policy: UnreadablePolicy) -> None:
        """Take a policy that does not fit its type: it still counts as one that may match."""
        self.cache.policies.pop(uid, None)
        self.cache.unreadable[uid] = policy
        self._requeue(set(Reason))

    def drop_policy(self, uid: str) -> None:
        """Forget a policy that was deleted."""
        known = self.cache.policies.pop(uid, None)
        if known or self.cache.unreadable.pop(uid, None):
            self._requeue(set(Reason))

    def policy(self, key: str) -> RemediationPolicy | None:
        """Return a policy by its namespace/name."""
        return self.cache.policy(key)

    def policies(self) -> tuple[RemediationPolicy, ...]:
        """Return all policies that can be read."""
        return tuple(self.cache.policies.values())

    def kill_switch_changed(self, state: KillSwitchState) -> None:
        """Once the kill switch is off, what waits for that is due."""
        if not state.on:
            self._requeue({Reason.KILL_SWITCH})

    def remediation_changed(self, info: RemediationInfo, *, deleted: bool = False) -> None:
        """Have the report of a remediation be due, and those that wait for its end or its hold."""
        if queued := self._queue.get(info.report_uid):
            queued.due = self.deps.clock.now()
        self._storm_monitor.invalidate()
        if deleted or not info.active:
            self._requeue(WAITS_FOR_OTHERS)
        self._wake.set()

    def _requeue(self, reasons: AbstractSet[Reason]) -> None:
        now = self.deps.clock.now()
        for queued in self._queue.values():
            # The reason of the current report is not known yet: it may be one of these, found
            # from what was there before the change.
            if queued.reason in reasons or queued is self._current:
                queued.due = now
        self._wake.set()

    # the loop ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Process whatever is due, forever, once all remediations are known."""
        await self._load_remediations()
        while True:
            now = self.deps.clock.now()
            due = [(queued.due, queued) for queued in self._queue.values() if queued.due]
            if not due:
                await self._wake.wait()
                self._wake.clear()
                continue
            due_time, first = min(due, key=lambda d: (max(d[0], now), urgency(d[1].report, now)))
            if due_time > now:
                await self._wait(due_time - now)
                continue
            await self._process(first)

    async def _load_remediations(self) -> None:
        """Index every remediation: budgets count them all."""
        while True:
            try:
                remediations = await self.deps.cluster.list_objects(Remediation)
            except ClusterError as error:
                _log.warning("admission_not_ready", error=one_line(error))
                await self.deps.clock.sleep(_FIRST_BACKOFF.total_seconds())
            else:
                now = self.deps.clock.now()
                self.index.merge(remediation_info(r, now) for r in remediations)
                return

    async def _wait(self, span: timedelta) -> None:
        try:
            async with asyncio.timeout(span.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _process(self, queued: QueuedReport) -> None:
        meta = queued.report.metadata
        queued.due, self._current = None, queued
        try:
            admission = await self._reconcile(queued.report)
        except NotFoundError:
            self._queue.pop(meta.uid, None)
        except ConflictError:
            await self._reread(queued)
        except Exception as error:  # noqa: BLE001 - one bad report must not stop the others
            queued.failures += 1
            _log.warning(
                "report_failed",
                namespace=meta.namespace,
                name=meta.name,
                error=one_line(error),
                failures=queued.failures,
            )
            backoff = min(_MAX_BACKOFF, _FIRST_BACKOFF * 2 ** min(queued.failures, 10))
            queued.due = self.deps.clock.now() + backoff
        else:
            queued.failures = 0
            queued.reason = admission.reason if isinstance(admission, Refuse) else None
            self._report_waiting()
            retry_at = admission.retry_at if isinstance(admission, Refuse) else None
            if retry_at is not None and (queued.due is None or retry_at < queued.due):
                queued.due = retry_at
        finally:
            self._current = None

    def _report_waiting(self) -> None:
        reasons = (queued.reason for queued in self._queue.values())
        self.deps.metrics.reports_pending(Counter(reason for reason in reasons if reason))

    async def _reread(self, queued: QueuedReport) -> None:
        """Read the report again: what is known of it is out of date."""
        meta = queued.report.metadata
        try:
            queued.report = await self.deps.cluster.get_object(
                DiagnosisReport, meta.namespace, meta.name
            )
        except NotFoundError:
            self._queue.pop(meta.uid, None)
            return
        except Exception as error:  # noqa: BLE001 - as above
            _log.warning("report_failed", error=one_line(error))
        queued.due = self.deps.clock.now() + _CONFLICT_BACKOFF

    # one report -------------------------------------------------------------------------------

    async def _reconcile(self, report: DiagnosisReport) -> Admission:
        """Admit the report if it can be, and write its status if that has changed."""
        if report.metadata.deletion_timestamp is not None:
            return Refuse(Reason.CANCELLED, "the report is being deleted")
        now = self.deps.clock.now()
        admission = admit(await self._input(report, now), now)
        if isinstance(admission, Accept):
            admission = await self._accept(report, now)
        await self._write_status(report, admission)
        return admission

    async def _input(self, report: DiagnosisReport, now: datetime) -> AdmissionInput:
        namespace, settings = report.metadata.namespace, self.deps.settings
        pending = (PendingReport(q.report, q.reason) for q in self._queue.values())
        storm = await self._storm_monitor.state(pending, now)
        policies = self.policies()
        return AdmissionInput(
            report=report,
            target=await self.cache.target(namespace, report.spec.target, now),
            policies=policies,
            remediations=self.index.all(),
            release_namespace=settings.release_namespace,
            paused=settings.paused,
            stopped_by=self.deps.switch.state.text(),
            unreadable=tuple(self.cache.unreadable.values()),
            limits=operator_limits(self.deps),
            workloads=await self._workload_count(policies, namespace),
            storm=storm.impact(report.metadata.uid),
            services=await self._services(report, now),
        )

    async def _services(self, report: DiagnosisReport, now: datetime) -> Sequence[Json]:
        """Return the Services that probes may be derived from, where the report has no probe."""
        if report.spec.probes:
            return ()
        try:
            return await self.cache.services(report.metadata.namespace, now)
        except ForbiddenError:
            return ()

    async def _workload_count(self, policies: Sequence[RemediationPolicy], namespace: str) -> int:
        """Return how many workloads there are; 0 where no policy bounds the share of them."""
        home = self.deps.settings.release_namespace
        if any(
            policy.spec.budgets.max_workloads_percent < 100
            for policy in policies
            if policy.metadata.namespace in (namespace, home)
        ):
            return len(await self.deps.cluster.workloads(namespace))
        return 0

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
        # Only the leader creates remediations; but the leader before may have created one a moment
        # ago, and a target is never repaired twice at once.
        remediations = await self.deps.cluster.list_objects(Remediation, namespace)
        self.index.merge(remediation_info(r, now) for r in remediations)
        policies, unreadable = await self._list_policies(namespace)
        await self.deps.switch.refresh()
        case = replace(
            await self._input(current, now),
            target=await self.cache.target(namespace, report.spec.target, now, fresh=True),
            policies=policies,
            unreadable=unreadable,
            workloads=await self._workload_count(policies, namespace),
        )
        # From here to `creating` nothing else runs: what is counted is what is there.
        admission = admit(replace(case, remediations=self.index.all()), now)
        if isinstance(admission, Refuse) and admission.retry_at is None:
            # The watches say otherwise: whichever is behind may catch up without an event.
            return replace(admission, retry_at=now + RETRY_INTERVAL)
        if not isinstance(admission, Accept):
            return admission
        return await self._create(admission, now)

    async def _create(self, admission: Accept, now: datetime) -> Admission:
        remediation = admission.remediation
        meta = remediation.metadata
        self.deps.require_leadership()
        with self.index.creating(remediation_info(remediation, now)):
            try:
                created = await self.deps.cluster.create_object(remediation)
            except AlreadyExistsError:
                return AlreadyAdmitted(meta.name)
            self.index.add(remediation_info(created, now))
        _log.info(
            "report_admitted",
            namespace=meta.namespace,
            report=remediation.spec.report_ref.name,
            name=meta.name,
        )
        return admission

    async def _list_policies(
        self, namespace: str
    ) -> tuple[list[RemediationPolicy], list[UnreadablePolicy]]:
        policies: list[RemediationPolicy] = []
        unreadable: list[UnreadablePolicy] = []
        for place in sorted({namespace, self.deps.settings.release_namespace}):
            for item in await self.deps.cluster.list_resource(REMEDIATION_POLICIES, place):
                policy = parse_policy(item)
                if isinstance(policy, UnreadablePolicy):
                    unreadable.append(policy)
                else:
                    policies.append(policy)
        return policies, unreadable

    async def _write_status(self, report: DiagnosisReport, admission: Admission) -> None:
        now = self.deps.clock.now()
        remediations = self.index.of_report(report.metadata.uid)
        status = report_status(report, admission, remediations, now)
        if _is_same(report.status, status, now):
            return
        self.deps.require_leadership()
        written = await self.deps.cluster.write_status(report.model_copy(update={"status": status}))
        if queued := self._queue.get(report.metadata.uid):
            queued.report = written
        await self._post_events(report, written)

    async def _post_events(self, before: DiagnosisReport, after: DiagnosisReport) -> None:
        for condition_type in (ConditionType.ACCEPTED, ConditionType.REMEDIATED):
            old = find_condition(before.status.conditions, condition_type)
            new = find_condition(after.status.conditions, condition_type)
            if new is None:
                continue
            if condition_type is ConditionType.ACCEPTED and (
                old is None or old.reason is not new.reason
            ):
                self.deps.metrics.report_decided(new.reason)
            if new.status is Status.UNKNOWN:
                continue
            if old is None or (old.status, old.reason) != (new.status, new.reason):
                event_type = EventType.NORMAL if new.status is Status.TRUE else EventType.WARNING
                await self.deps.cluster.post_event(
                    after, event_type, new.reason, condition_type, new.message
                )


def operator_limits(deps: Dependencies) -> OperatorLimits:
    """Return the budgets of the whole cluster, from the settings."""
    return OperatorLimits(deps.settings.max_concurrent, deps.settings.max_per_hour)


def _is_same(before: DiagnosisReportStatus, after: DiagnosisReportStatus, now: datetime) -> bool:
    """Return whether only a retry time that has not come yet would change."""
    if before.retry_time is not None and after.retry_time is not None and before.retry_time > now:
        after = after.model_copy(update={"retry_time": before.retry_time})
    return before == after
