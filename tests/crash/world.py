"""A simulated cluster with its operators: real kopf, clients and leases, in simulated time."""

import asyncio
import contextlib
import copy
import json
import logging
import random
import warnings
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

import aiohttp
import kopf
import structlog

from reme_api.diagnosis_report import Target
from reme_api.probes import Probe
from reme_api.remediation import Remediation
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_kube.leader_election import ApiLeaseStore, LeaderElector, LeaseTimes
from reme_model.inference.errors import ModelTimeoutError, ModelUnavailableError
from reme_model.inference.generation import GenerationReply, GenerationRequest
from reme_operator.app import main
from reme_operator.app.operate import ExternalClients
from reme_operator.decision.decisions import RunKind
from reme_operator.probes.sample import Sample
from reme_operator.reconcile import reconciler
from reme_operator.settings import OperatorSettings
from reme_operator.steps import registry
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from tests.crash.history import History, UserActionLog
from tests.crash.schedule import Schedule
from tests.doubles.rollouts import Rollouts
from tests.doubles.shop import GOOD, NAMESPACE, RELEASE
from tests.doubles.sim_api import STEP_HEADER, SimulatedApi
from tests.doubles.sim_loop import Process, SimulatedClock, now, origin
from tests.doubles.sim_network import Wire
from tests.doubles.sim_nodes import Nodes

ROLLOUT_SECONDS = 6.0
"""How long the pods of an older template are still terminating."""

_step: ContextVar[str] = ContextVar("step", default="")


class _Credentials(Credentials):
    """Adds the step to the headers of each request."""

    def headers(self, now: float, *, fresh: bool = False) -> dict[str, str]:
        task = asyncio.current_task()
        step = {STEP_HEADER: _step.get() or (task.get_name() if task else "")}
        return super().headers(now, fresh=fresh) | step

    def with_token(self, token: str) -> "_Credentials":
        """Return the same, for whoever the token stands for."""
        return _Credentials(self.server, None, token=token)


def _session(wire: Wire) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None)
    return aiohttp.ClientSession(connector=wire, timeout=timeout, raise_for_status=False)


@dataclass
class Model:
    """Answers each new request with the next reply, and a repeated request with the same one."""

    answers: list[str]
    faults_by_number: dict[int, tuple[str, int]] = field(
        default_factory=dict
    )  # by number: (fault, times)
    others: tuple[str, ...] = ()  # targets besides the cart
    requests: int = 0
    _known: dict[int, str] = field(default_factory=dict)

    async def generate(self, request: GenerationRequest) -> GenerationReply:
        """Answer, or fail."""
        if request.seed not in self._known:
            turn = min(len(self._known), len(self.answers) - 1)
            self._known[request.seed] = self._about(request, self.answers[turn])
            self.requests = len(self._known)
        what, remaining = self.faults_by_number.get(self.requests, ("", 0))
        if remaining > 0:
            self.faults_by_number[self.requests] = (what, remaining - 1)
            await asyncio.sleep({"hangs": 120, "dies": 2}.get(what, 0.01))
            if what == "hangs":
                raise ModelTimeoutError("no whole reply within 120 s")
            if what != "nonsense":
                raise ModelUnavailableError(f"the model server {what}")
        await asyncio.sleep(1.5)
        text = "I think" if remaining > 0 else self._known[request.seed]
        return GenerationReply(text, 100, 0, 20, "stop", "reme", "sha256:abc")

    def _about(self, request: GenerationRequest, answer: str) -> str:
        """Return the reply for the target of the request: cart or one of its copies."""
        schema = json.dumps(request.schema)
        name = next((name for name in self.others if f'"{name}"' in schema), "cart")
        return answer.replace('"cart"', f'"{name}"')


@dataclass
class ImageProbes:
    """Passes exactly when the Deployment, and what it calls, runs the good image."""

    api: SimulatedApi
    down: bool = False  # whatever image it runs
    callees: Mapping[str, str] = field(default_factory=dict)  # by the name of the caller

    async def sample(self, probe: Probe, target: Target, namespace: str) -> Sample:
        """Sample the probe."""
        await asyncio.sleep(0.01)
        name = self.callees.get(target.name, target.name)
        deployment = self.api.get("deployments", namespace, name)
        if deployment is None:
            return Sample(None, "", "there is no such Deployment")
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        works = image == GOOD and not self.down
        return Sample(works, "200" if works else "500", "" if works else "status 500")


@dataclass
class World:
    """State of one simulation."""

    schedule: Schedule
    api: SimulatedApi
    nodes: Nodes
    model: Model
    probes: ImageProbes
    rng: random.Random
    history: History
    processes: list[Process] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    acted_at: float | None = None  # when the event of the scenario happened
    finals: dict[str, Remediation] = field(
        default_factory=dict
    )  # last observed state, also of deleted ones
    last_fault: float = 0.0
    faults_in_progress: int = 0  # faults that have not ended
    before: dict[str, Any] = field(default_factory=dict)  # specs of the targets at the start
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the operator, over the defaults
    people: UserActionLog = field(default_factory=UserActionLog)
    faults_at: list[float] = field(default_factory=list)
    rolling: list[str] = field(default_factory=list)  # attempts that began while pods rolled
    rollouts: Rollouts | None = None
    cut_until: dict[str, float] = field(default_factory=dict)  # partitioned replicas
    leaseless_until: dict[str, float] = field(default_factory=dict)

    def note_fault(self) -> None:
        """Record the time of a fault."""
        self.last_fault = self.time()
        self.faults_at.append(self.last_fault)

    def note_before(self, target: str) -> None:
        """Record the state of a target to which a rollback must return."""
        deployment = self.api.get("deployments", NAMESPACE, target)
        assert deployment is not None, f"{target} is not there"
        self.before[target] = copy.deepcopy(deployment["spec"])

    def time(self) -> float:
        """Return the seconds of the simulation."""
        return asyncio.get_running_loop().time()

    def remediations(self) -> list[Remediation]:
        """Return all remediations, oldest first."""
        remediations = [Remediation.model_validate(o) for o in self.api.all("remediations")]
        return sorted(
            remediations, key=lambda r: (str(r.metadata.creation_timestamp), r.metadata.name)
        )

    def kill(self, process: Process, why: str) -> None:
        """End a process like SIGKILL; its replica starts another after a delay."""
        if not process.dead:
            self.kills.append(f"{self.time():.1f} {process.name} {why}")
            process.kill()

    async def replica(self, name: str) -> None:
        """Keep one operator running, as a Deployment does."""
        turn = 0
        while True:
            process = Process(f"{name}.{turn}")
            self.processes.append(process)
            gone = asyncio.Event()
            process.at_death(gone.set)
            work = process.spawn(self._operate(process, f"{name}-{turn}"))
            work.add_done_callback(partial(_set, gone))
            await gone.wait()
            await process.kill()
            turn += 1
            await asyncio.sleep(self.rng.choice((0.5, 1, 3, 20)))

    async def _operate(self, process: Process, identity: str) -> int:
        settings = OperatorSettings(
            namespace=RELEASE,
            pod_name=identity,
            sandbox_image="sandbox:test",
            model_endpoint="http://model.simulated/v1",
            lease_retry_seconds=3,
            **self.settings,
        )
        clock, stop = SimulatedClock(), asyncio.Event()
        process.at_death(stop.set)

        async def log_in(**_: Any) -> kopf.AiohttpSession:
            session = _session(self.api.wire())
            return kopf.AiohttpSession(server=self.api.url, aiohttp_session=session)

        async with self._client(settings) as server, self._client(settings) as renewing:
            times = LeaseTimes(
                settings.lease_duration_seconds,
                settings.lease_renew_seconds,
                settings.lease_retry_seconds,
            )
            store = ApiLeaseStore(renewing, RELEASE, settings.lease_name)
            clients = ExternalClients(
                cluster=ApiCluster(server, reporter=identity),
                prober=self.probes,
                model=self.model,
                clock=clock,
                lease=LeaderElector(store, clock, identity, times),
                log_in=log_in,
            )
            return await main.lead(settings, clients, _Metrics(), Health(60.0), stop)

    def _client(self, settings: OperatorSettings) -> ApiClient:
        return ApiClient(
            _Credentials(self.api.url, None),
            timeout_seconds=settings.api_timeout_seconds,
            attempts=settings.api_attempts,
        )


def _set(event: asyncio.Event, _: object) -> None:
    event.set()


class _Metrics(Metrics):
    """The metrics without those of the Python process, which take as long as a whole run."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry

        super().__init__("test", CollectorRegistry())


@contextlib.contextmanager
def labelled() -> Iterator[None]:
    """Label every request with its step."""

    def label(kind: type, perform: Any) -> Any:
        async def labelling(work: Any, decision: Any) -> Any:
            run_kind = getattr(decision, "kind", RunKind.REPAIR)
            rolls_back = run_kind in (RunKind.ROLLBACK, RunKind.MANUAL_ROLLBACK)
            _step.set(f"{kind.__name__}{'(rollback)' if rolls_back else ''}")
            return await perform(work, decision)

        return labelling

    async def observing(
        self: reconciler.RemediationReconciler,
        observe: Any = reconciler.RemediationReconciler._observe,
    ) -> Any:
        _step.set("observe")
        return await observe(self)

    steps = {kind: label(kind, perform) for kind, perform in registry.STEP_HANDLERS.items()}
    with (
        mock.patch("reme_operator.reconcile.reconciler.STEP_HANDLERS", steps),
        mock.patch.object(reconciler.RemediationReconciler, "_observe", observing),
        # kopf counts from the real time of day; a retry would wait for it in vain.
        mock.patch("kopf._core.actions.progression._get_basetime", origin),
    ):
        yield


def quiet() -> None:
    """Disable logging."""
    logging.disable(logging.CRITICAL)
    # Killed processes leave coroutines that are never awaited.
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )


@contextlib.asynccontextmanager
async def simulated_world(schedule: Schedule, answers: list[Any]) -> AsyncIterator[World]:
    """Create a world without operators."""
    rng = random.Random(f"{schedule.seed}/{schedule.scenario}")
    random.seed(schedule.seed)
    api = SimulatedApi(seed=schedule.seed)
    texts = [a if isinstance(a, str) else json.dumps(a, separators=(",", ":")) for a in answers]
    async with api.running():
        nodes = Nodes(api)
        history = History(api)
        probes = ImageProbes(api)
        world = World(schedule, api, nodes, Model(texts), probes, rng, history)

        def keep_final(what: str, obj: Any) -> None:
            if what.endswith(" remediations"):
                remediation = Remediation.model_validate(obj)
                world.finals[remediation.metadata.uid] = remediation

        world.rollouts = Rollouts(api, ROLLOUT_SECONDS, now=now)

        def note_rolling(what: str, obj: Any) -> None:
            if what != "MODIFIED remediations":
                return
            assert world.rollouts is not None
            target = f"{NAMESPACE}/{obj['spec']['target']['name']}"
            attempts = obj.get("status", {}).get("attempts") or []
            fresh = [a for a in attempts[1:] if not a.get("generation") and not a.get("outcome")]
            if fresh and target in world.rollouts.rolling:
                world.rolling.append(f"{obj['metadata']['name']}, attempt {fresh[-1]['number']}")

        api.hooks += [nodes, keep_final, history, world.rollouts, note_rolling]
        with mock.patch("reme_kube.transport.connector", side_effect=lambda *_: api.wire()):
            yield world


__all__ = ["NAMESPACE", "RELEASE", "Context", "World", "labelled", "quiet", "simulated_world"]
