"""History of a simulated world, recorded outside of the operator."""

import asyncio
from dataclasses import dataclass, field
from itertools import zip_longest

from aiohttp import web

from reme_api.approval import Approval
from reme_api.investigation import InvestigationRound
from reme_api.remediation import Remediation, Run
from reme_operator.decision.holds import is_on_hold
from reme_operator.decision.observed import is_following
from reme_playbook.execution.runner_contract import PLAYBOOK_KEY
from tests.doubles.api_rules import Json
from tests.doubles.shop import RELEASE
from tests.doubles.sim_api import Answer, ApiRequest, Interceptor, SimulatedApi

SWITCH = "reme-stop"


@dataclass(frozen=True)
class JobCreation:
    """Creation of a Job, and the remediation as recorded at that time."""

    at: float
    run: str
    playbook: str  # as mounted into the pod
    remediation: Remediation | None  # as recorded at that time


@dataclass(frozen=True)
class RemediationCreation:
    """Creation of a remediation, and the numbers of open ones, this one included."""

    at: float
    name: str
    target: str
    of_target: int
    total_open: int
    in_an_hour: int
    reports: int  # without an ended remediation


@dataclass(frozen=True)
class IgnoredKillSwitch:
    """A write of a process that had observed the kill switch to be on."""

    at: float
    process: str
    what: str
    observed_at: float


@dataclass
class UserActionLog:
    """Actions of the simulated users."""

    decisions: list[tuple[float, Approval]] = field(default_factory=list)
    manual_rollbacks: list[tuple[float, str, int]] = field(
        default_factory=list
    )  # when, uid, number
    complaints: list[str] = field(default_factory=list)  # their changes that were overwritten
    done: bool = False  # all actions are finished


@dataclass
class History:
    """Records the changes of the API server, as a hook and as an interceptor."""

    api: SimulatedApi
    jobs: list[JobCreation] = field(default_factory=list)
    simulated_world: list[RemediationCreation] = field(default_factory=list)
    concurrent_targets: set[str] = field(
        default_factory=set
    )  # with a manual rollback and a repair at once
    kill_switch_changes: list[tuple[float, str]] = field(
        default_factory=list
    )  # (time, in-flight policy; empty: off)
    ignored_kill_switches: list[IgnoredKillSwitch] = field(default_factory=list)
    observed_by: list[tuple[float, str]] = field(
        default_factory=list
    )  # (time, process), first observation
    changed_rounds: list[str] = field(default_factory=list)  # recorded rounds that were rewritten
    _rounds: dict[tuple[str, int], list[InvestigationRound]] = field(default_factory=dict)
    _observed_on: dict[str, float] = field(default_factory=dict)  # by process
    _created: list[float] = field(default_factory=list)

    # changes ------------------------------------------------------------------------------------

    def __call__(self, what: str, obj: Json) -> None:
        """React to one change of the store."""
        match what.split():
            case ["ADDED", "jobs"]:
                self._note_job(obj)
            case ["ADDED", "remediations"]:
                self._note_remediation(Remediation.model_validate(obj))
                self._note_concurrent_runs()
            case ["MODIFIED", "remediations"]:
                self._note_concurrent_runs()
                self._note_rounds(Remediation.model_validate(obj))
            case [_, "configmaps"] if obj["metadata"]["name"] == SWITCH:
                gone = what.startswith("DELETED")
                text = "" if gone else (obj.get("data") or {}).get("inFlight", "Drain")
                self.kill_switch_changes.append((self._time(), text))

    def _note_job(self, job: Json) -> None:
        name = str(job["metadata"]["name"])
        config_map = self.api.get("configmaps", RELEASE, f"{name}-input") or {}
        uid = job["metadata"]["labels"]["reme.dev/remediation-uid"]
        mine = [r for r in self._remediations() if r.metadata.uid == uid]
        self.jobs.append(
            JobCreation(
                self._time(),
                name,
                (config_map.get("data") or {}).get(PLAYBOOK_KEY, ""),
                mine[0] if mine else None,
            )
        )

    def _note_remediation(self, fresh: Remediation) -> None:
        now = self._time()
        self._created.append(now)
        # One on hold has changed nothing, and takes neither its target nor room in a budget; one
        # that waits for the remediation of a cause does nothing.
        there = [
            r
            for r in self._remediations()
            if r.status.outcome is None and not (is_on_hold(r) or is_following(r))
        ]
        of_target = [r for r in there if r.spec.target.name == fresh.spec.target.name]
        self.simulated_world.append(
            RemediationCreation(
                at=now,
                name=fresh.metadata.name,
                target=fresh.spec.target.name,
                of_target=len(of_target),
                total_open=len(there),
                in_an_hour=sum(now - at < 3600 for at in self._created),
                reports=len(self._waiting()),
            )
        )

    def _note_rounds(self, current: Remediation) -> None:
        """Record rounds whose choice or results differ from what was recorded before."""
        for attempt in current.status.attempts:
            key = current.metadata.uid, attempt.number
            rounds = attempt.investigation
            for before, after in zip_longest(self._rounds.get(key, []), rounds):
                if before is not None and not _continues(before, after):
                    name = f"{current.metadata.name}, attempt {attempt.number}"
                    self.changed_rounds.append(f"{name}: round {before.number} was rewritten")
            self._rounds[key] = list(rounds)

    def _note_concurrent_runs(self) -> None:
        """Record targets with a run of a manual rollback and one of another remediation."""
        repaired, rolled_back = set(), set()
        for one in self._remediations():
            target, manual_rollbacks = one.spec.target.name, one.status.manual_rollbacks
            if any(_runs(run) for a in one.status.attempts for run in (a.run, a.rollback)):
                repaired.add(target)
            if manual_rollbacks and _runs(manual_rollbacks[-1].run):
                rolled_back.add(target)
        self.concurrent_targets |= rolled_back & repaired

    def _waiting(self) -> list[str]:
        """Return the UIDs of reports without an ended remediation."""
        ended = {
            r.spec.report_ref.uid for r in self._remediations() if r.status.outcome is not None
        }
        uids = [str(r["metadata"]["uid"]) for r in self.api.all("diagnosisreports")]
        return [uid for uid in uids if uid not in ended]

    def _remediations(self) -> list[Remediation]:
        return [Remediation.model_validate(o) for o in self.api.all("remediations")]

    def is_on(self, at: float) -> str:
        """Return the in-flight policy of the kill switch at a time; empty when it was off."""
        text = ""
        for since, policy in self.kill_switch_changes:
            if since <= at:
                text = policy
        return text

    # observations of the kill switch -------------------------------------------------------------

    def gate(self, before: Interceptor) -> Interceptor:
        """Return an interceptor that records when each process observes the kill switch."""

        async def watching(request: ApiRequest, answer: Answer) -> web.StreamResponse:
            process, sent = request.process.name, self._time()
            seen_on_at = self._observed_on.get(process)

            async def noted() -> web.StreamResponse:
                response = await answer()
                if (
                    request.what == "POST jobs"
                    and response.status == 201
                    and seen_on_at is not None
                ):
                    ignored_kill_switch = IgnoredKillSwitch(sent, process, request.step, seen_on_at)
                    self.ignored_kill_switches.append(ignored_kill_switch)
                return response

            response = await before(request, noted)
            if request.verb == "GET" and request.path.endswith(f"/configmaps/{SWITCH}"):
                if response.status == 200 and process not in self._observed_on:
                    self._observed_on[process] = self._time()
                    self.observed_by.append((self._time(), process))
                elif response.status == 404:
                    self._observed_on.pop(process, None)
            return response

        return watching

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _continues(before: InvestigationRound, after: InvestigationRound | None) -> bool:
    """Return whether a round is as it was recorded, or has got its results since."""
    if after is None:
        return False
    same = (before.number, before.choice, before.view) == (after.number, after.choice, after.view)
    return same and before.results in (None, after.results)


def _runs(run: Run | None) -> bool:
    return run is not None and bool(run.uid) and run.reason is None
