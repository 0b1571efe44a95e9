"""What happened in a world in its order, kept where no operator can forget or change it."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from reme_api.approval import Approval
from reme_api.remediation import Remediation, Run
from reme_operator.decision.holds import is_on_hold
from reme_playbook.execution.runner_contract import PLAYBOOK_KEY
from tests.doubles.api_rules import Json
from tests.doubles.shop import RELEASE
from tests.doubles.sim_api import Answer, ApiRequest, Interceptor, SimulatedApi

SWITCH = "reme-stop"


@dataclass(frozen=True)
class JobCreation:
    """A Job that came to be, and what was there at that moment."""

    at: float
    run: str
    playbook: str  # as the pod gets it
    remediation: Remediation | None  # whose run it is, as it was recorded then


@dataclass(frozen=True)
class RemediationCreation:
    """A remediation that came to be, and how many were open then, this one included."""

    at: float
    name: str
    target: str
    of_target: int
    altogether: int
    in_an_hour: int
    reports: int  # on which nothing has come yet


@dataclass(frozen=True)
class IgnoredKillSwitch:
    """A write that was sent by a process that had seen the kill switch to be on."""

    at: float
    process: str
    what: str
    seen: float


@dataclass
class UserActionLog:
    """What people did, by their own word."""

    decisions: list[tuple[float, Approval]] = field(default_factory=list)
    manual_rollbacks: list[tuple[float, str, int]] = field(
        default_factory=list
    )  # when, uid, number
    complaints: list[str] = field(default_factory=list)  # what was done to their own changes
    done: bool = False  # nobody does anything any more


@dataclass
class History:
    """A hook of the API server, and a gate before its own."""

    api: SimulatedApi
    jobs: list[JobCreation] = field(default_factory=list)
    opened: list[RemediationCreation] = field(default_factory=list)
    both: set[str] = field(default_factory=set)  # undone by hand and repaired at once
    switched: list[tuple[float, str]] = field(default_factory=list)  # what it says since when
    disregarded: list[IgnoredKillSwitch] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)  # which process, for the first time
    _seen_on: dict[str, float] = field(default_factory=dict)  # by process
    _created: list[float] = field(default_factory=list)

    # what there is ------------------------------------------------------------------------------

    def __call__(self, what: str, obj: Json) -> None:
        """React to one change of the store."""
        match what.split():
            case ["ADDED", "jobs"]:
                self._note_job(obj)
            case ["ADDED", "remediations"]:
                self._note_opened(Remediation.model_validate(obj))
                self._note_both()
            case ["MODIFIED", "remediations"]:
                self._note_both()
            case [_, "configmaps"] if obj["metadata"]["name"] == SWITCH:
                gone = what.startswith("DELETED")
                text = "" if gone else (obj.get("data") or {}).get("inFlight", "Drain")
                self.switched.append((self._time(), text))

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

    def _note_opened(self, fresh: Remediation) -> None:
        now = self._time()
        self._created.append(now)
        # One on hold has changed nothing, and takes neither its target nor room in a budget.
        there = [r for r in self._remediations() if r.status.outcome is None and not is_on_hold(r)]
        of_target = [r for r in there if r.spec.target.name == fresh.spec.target.name]
        self.opened.append(
            RemediationCreation(
                at=now,
                name=fresh.metadata.name,
                target=fresh.spec.target.name,
                of_target=len(of_target),
                altogether=len(there),
                in_an_hour=sum(now - at < 3600 for at in self._created),
                reports=len(self._waiting()),
            )
        )

    def _note_both(self) -> None:
        """Note where an undo by hand has its run while another remediation has one."""
        repaired, undone = set(), set()
        for one in self._remediations():
            target, manual_rollbacks = one.spec.target.name, one.status.manual_rollbacks
            if any(_runs(run) for a in one.status.attempts for run in (a.run, a.rollback)):
                repaired.add(target)
            if manual_rollbacks and _runs(manual_rollbacks[-1].run):
                undone.add(target)
        self.both |= undone & repaired

    def _waiting(self) -> list[str]:
        """Return the reports that nothing has come of yet."""
        ended = {
            r.spec.report_ref.uid for r in self._remediations() if r.status.outcome is not None
        }
        uids = [str(r["metadata"]["uid"]) for r in self.api.all("diagnosisreports")]
        return [uid for uid in uids if uid not in ended]

    def _remediations(self) -> list[Remediation]:
        return [Remediation.model_validate(o) for o in self.api.all("remediations")]

    def is_on(self, at: float) -> str:
        """Return what the kill switch said at a time; empty when it was off."""
        text = ""
        for since, word in self.switched:
            if since <= at:
                text = word
        return text

    # who knows of the switch --------------------------------------------------------------------

    def gate(self, before: Interceptor) -> Interceptor:
        """Return a gate that takes note of what each process is told of the kill switch."""

        async def watching(request: ApiRequest, answer: Answer) -> web.StreamResponse:
            process, sent = request.process.name, self._time()
            seen_on_at = self._seen_on.get(process)

            async def noted() -> web.StreamResponse:
                response = await answer()
                if (
                    request.what == "POST jobs"
                    and response.status == 201
                    and seen_on_at is not None
                ):
                    ignored_kill_switch = IgnoredKillSwitch(sent, process, request.step, seen_on_at)
                    self.disregarded.append(ignored_kill_switch)
                return response

            response = await before(request, noted)
            if request.verb == "GET" and request.path.endswith(f"/configmaps/{SWITCH}"):
                if response.status == 200 and process not in self._seen_on:
                    self._seen_on[process] = self._time()
                    self.told.append((self._time(), process))
                elif response.status == 404:
                    self._seen_on.pop(process, None)
            return response

        return watching

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _runs(run: Run | None) -> bool:
    return run is not None and bool(run.uid) and run.reason is None
