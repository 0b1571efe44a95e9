"""Runs everything that a leader runs: kopf with its handlers, and the background tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import kopf
import structlog
from kopf._core.engines.peering import Identity

from reme_kube.clock import Clock
from reme_kube.leader_election import Leadership
from reme_kube.protocols import Cluster
from reme_model.inference.generation import PlaybookModel
from reme_operator.admission.controller import ReportController
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.app import kopf_setup
from reme_operator.app.garbage_collector import collect_garbage
from reme_operator.app.signals import stop_on_signals
from reme_operator.app.supervisor import supervise
from reme_operator.dependencies import Dependencies
from reme_operator.handlers.context import OperatorContext
from reme_operator.handlers.policies import schedule_policy_updates
from reme_operator.investigation.coordinator import Coordinator
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.model_coordinator import ModelCoordinator
from reme_operator.investigation.prometheus import MetricsSource
from reme_operator.investigation.readers.base import Sources
from reme_operator.investigation.rules_coordinator import RulesCoordinator
from reme_operator.kill_switch.watch import KillSwitch, watch_kill_switch
from reme_operator.probes.sample import Prober
from reme_operator.reconcile.notifier import Notifiers, watch_runs
from reme_operator.settings import OperatorSettings
from reme_operator.steps.record import operator_version
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from reme_playbook.errors import RejectionRule

_log = structlog.get_logger(__name__)

KOPF_STOP_SECONDS = 12.0
"""What kopf may take to end its watches, handlers and daemons."""

TASKS_STOP_SECONDS = 6.0
"""What our own tasks may take to end: a status write that has started is finished first."""

_REPLY_RULES = (
    "DryRunRefused",
    "ModelReplyEmpty",
    "ModelReplyInvalid",
    "ModelReplyTooLarge",
    "PolicyAllowsNothing",
)


@dataclass(slots=True)
class ExternalClients:
    """The connections to everything outside of this process; tests put others in their place."""

    cluster: Cluster
    prober: Prober
    model: PlaybookModel
    clock: Clock
    lease: Leadership | None
    log_in: Callable[..., Any] = kopf_setup.login
    prometheus: MetricsSource | None = None


async def operate(
    settings: OperatorSettings,
    clients: ExternalClients,
    metrics: Metrics,
    health: Health,
    stop: asyncio.Event,
    leading: Callable[[], bool],
) -> None:
    """Handle reports and remediations until `stop` is set, then end within a bounded time.

    Takes at most KOPF_STOP_SECONDS + TASKS_STOP_SECONDS after `stop` is set.
    """
    metrics.register_rules([*RejectionRule, *_REPLY_RULES])
    context = _operator_context(settings, clients, metrics, health, leading)
    background = _start_background_tasks(context)
    watched = settings.watch_namespaces
    namespaces = sorted({*watched, settings.release_namespace}) if watched else []
    _log.info("operator_started", version=operator_version(), namespaces=namespaces)
    try:
        tasks = await kopf.spawn_tasks(
            registry=kopf_setup.build_registry(context, log_in=clients.log_in),
            settings=kopf_setup.kopf_settings(),
            standalone=True,
            # kopf would ask the system for its user, who need not have an entry in the container.
            identity=Identity(settings.pod_name),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )
        stop_on_signals(stop)  # kopf has just put its own handlers in their place
        await _run_until_stopped(kopf.run_tasks(tasks, ignored=_AllTasks()), stop)
    finally:
        await _cancel([*background, *context.tasks], TASKS_STOP_SECONDS)


def _operator_context(
    settings: OperatorSettings,
    clients: ExternalClients,
    metrics: Metrics,
    health: Health,
    leading: Callable[[], bool],
) -> OperatorContext:
    home = settings.release_namespace
    deps = Dependencies(
        cluster=clients.cluster,
        prober=clients.prober,
        model=clients.model,
        inspector=ClusterInspector(
            Sources(
                clients.cluster, clients.clock, prober=clients.prober, prometheus=clients.prometheus
            )
        ),
        clock=clients.clock,
        settings=settings,
        metrics=metrics,
        health=health,
        leading=leading,
        switch=KillSwitch(clients.cluster, home, settings.kill_switch_name),
        coordinator=_coordinator(settings, clients, metrics),
    )
    index = RemediationIndex()
    context = OperatorContext(deps, index, Notifiers(), ReportController(deps, index))
    deps.switch.subscribe(metrics.kill_switch)
    deps.switch.subscribe(lambda _: context.notifiers.wake_all())
    deps.switch.subscribe(lambda _: schedule_policy_updates(context))
    return context


def _coordinator(
    settings: OperatorSettings, clients: ExternalClients, metrics: Metrics
) -> Coordinator:
    if settings.model_coordinator == "model":
        return ModelCoordinator(clients.model, metrics)
    return RulesCoordinator()


def _start_background_tasks(context: OperatorContext) -> list[asyncio.Task[None]]:
    deps, home = context.deps, context.deps.settings.release_namespace
    cluster, clock = deps.cluster, deps.clock
    runs: dict[str, Callable[[], Awaitable[None]]] = {
        "admission": context.controller.run,
        "garbage collector": lambda: collect_garbage(cluster, clock, context.index, home),
        "kill switch": lambda: watch_kill_switch(deps.switch, clock),
        "run watch": lambda: watch_runs(cluster, clock, context.notifiers, home),
    }
    deps.metrics.register_background_tasks(runs)
    return [
        asyncio.create_task(
            supervise(name, run, clock=clock, metrics=deps.metrics, health=deps.health), name=name
        )
        for name, run in runs.items()
    ]


async def _run_until_stopped(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Wait for the work; once `stop` is set, cancel what is left of it after a bounded time."""
    running = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await asyncio.wait({running}, timeout=KOPF_STOP_SECONDS)
        if running.done():
            await running
        else:
            _log.error("shutdown_timed_out", part="kopf", seconds=KOPF_STOP_SECONDS)
    finally:
        await _cancel([running, stopping], 1.0)


async def _cancel(tasks: Iterable[asyncio.Future[Any]], seconds: float) -> None:
    """Cancel the tasks and give them so long to end."""
    pending = {task for task in tasks if not task.done()}
    for task in pending:
        task.cancel()
    if pending:
        _, pending = await asyncio.wait(pending, timeout=seconds)
    for task in pending:
        name = task.get_name() if isinstance(task, asyncio.Task) else "unknown"
        _log.error("shutdown_timed_out", part=name, seconds=seconds)


class _AllTasks(frozenset[Any]):
    """Contains every task.

    kopf waits five seconds for every task that is younger than itself and then cancels it: also
    the answers to the kubelet and the renewal of the lease. It ends its own tasks without that,
    and `operate` ends ours.
    """

    def __contains__(self, _: object) -> bool:
        return True
