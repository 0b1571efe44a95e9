"""Puts the operator together and runs it: stand by, lead, and step down in good order."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import kopf
import structlog
from kopf._core.engines.peering import Identity

from reme_kube.clock import Clock, SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials
from reme_kube.leader_election import ApiLeaseStore, LeaderElector, Leadership, LeaseTimes
from reme_kube.protocols import Cluster
from reme_model.inference.client import OpenAIModel
from reme_model.inference.generation import ModelEndpoint, PlaybookModel
from reme_operator.admission.controller import ReportController
from reme_operator.admission.remediation_index import RemediationIndex
from reme_operator.app import kopf_setup
from reme_operator.app.garbage_collector import collect_garbage
from reme_operator.handlers.context import OperatorContext
from reme_operator.handlers.policies import schedule_policy_updates
from reme_operator.kill_switch.watch import KillSwitch, watch_kill_switch
from reme_operator.probes.prober import ServiceProber
from reme_operator.probes.sample import Prober
from reme_operator.reconcile.notifier import Notifiers, watch_runs
from reme_operator.settings import OperatorSettings
from reme_operator.steps.context import Dependencies
from reme_operator.steps.record import operator_version
from reme_operator.telemetry import logs
from reme_operator.telemetry.health import Health, HealthServer
from reme_operator.telemetry.metrics import Metrics
from reme_playbook.errors import RejectionRule

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ExternalClients:
    """Everything outside of this process, so that tests can put something else there."""

    cluster: Cluster
    prober: Prober
    model: PlaybookModel
    clock: Clock
    lease: Leadership | None
    log_in: Callable[..., Any] = kopf_setup.login


async def serve(settings: OperatorSettings) -> int:
    """Run until told to stop, or until the lease is lost; return the exit code."""
    logs.configure(settings.log_level, settings.log_format)
    metrics = Metrics(operator_version())
    health = Health(settings.stalled_after_seconds)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await asyncio.to_thread(_warm)
    async with (
        _outside(settings, metrics, health) as clients,
        HealthServer(health, metrics, clients.cluster.ping, port=settings.http_port),
    ):
        return await lead(settings, clients, metrics, health, stop)


def _warm() -> None:
    """Import what the first question to the model would stop everything for, by a second."""
    import_module("openai.resources.chat.completions")


@contextlib.asynccontextmanager
async def _outside(
    settings: OperatorSettings, metrics: Metrics, health: Health
) -> AsyncIterator[ExternalClients]:
    credentials: Credentials = find_credentials()
    clock = SystemClock()
    endpoint = ModelEndpoint(
        url=settings.model_endpoint,
        model=settings.model_name,
        api_key=settings.model_api_key(),
        timeout_seconds=settings.model_timeout_seconds,
        attempts=settings.model_attempts,
        constrained=settings.model_constrained,
    )

    def changed(leads: bool) -> None:
        metrics.leading(leads)
        health.leading(leads)

    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(_api(settings, credentials))
        # The lease has connections of its own: a flood of work must not cost the leadership.
        renewing = await stack.enter_async_context(_api(settings, credentials))
        cluster = await stack.enter_async_context(
            ApiCluster(
                api,
                watched=settings.watch_namespaces,
                reporter=settings.pod_name,
                on_unreadable=metrics.object_unreadable,
            )
        )
        store = ApiLeaseStore(renewing, settings.namespace, settings.lease_name)
        times = LeaseTimes(
            settings.lease_duration_seconds,
            settings.lease_renew_seconds,
            settings.lease_retry_seconds,
        )
        lease = LeaderElector(store, clock, settings.pod_name, times, changed)
        if not settings.leader_election:
            changed(True)
        else:
            health.leading(False)
        yield ExternalClients(
            cluster=cluster,
            prober=await stack.enter_async_context(ServiceProber(cluster, clock)),
            model=await stack.enter_async_context(OpenAIModel(endpoint)),
            clock=clock,
            lease=lease if settings.leader_election else None,
        )


def _api(settings: OperatorSettings, credentials: Credentials) -> ApiClient:
    return ApiClient(
        credentials,
        timeout_seconds=settings.api_timeout_seconds,
        attempts=settings.api_attempts,
    )


async def lead(
    settings: OperatorSettings,
    clients: ExternalClients,
    metrics: Metrics,
    health: Health,
    stop: asyncio.Event,
) -> int:
    """Wait for the lease, act while it is held, and give it back."""
    if clients.lease is None:
        await operate(settings, clients, metrics, health, stop, lambda: True)
        return 0
    lease = clients.lease
    try:
        if not await _first(lease.acquire(), stop):
            return 0
        lost = asyncio.create_task(_after(lease.wait_lost(), stop), name="lease watch")
        try:
            await operate(settings, clients, metrics, health, stop, lambda: lease.leading)
        finally:
            lost.cancel()
        if lease.leading:
            return 0
        _log.error("operator.deposed", holder=lease.holder)
        return 1
    finally:
        await lease.release()


async def operate(
    settings: OperatorSettings,
    clients: ExternalClients,
    metrics: Metrics,
    health: Health,
    stop: asyncio.Event,
    leading: Callable[[], bool],
) -> None:
    """Handle everything until told to stop."""
    metrics.register_rules([*RejectionRule, *_REPLY_RULES])
    index = RemediationIndex()
    deps = Dependencies(
        cluster=clients.cluster,
        prober=clients.prober,
        model=clients.model,
        clock=clients.clock,
        settings=settings,
        metrics=metrics,
        health=health,
        leading=leading,
        switch=KillSwitch(clients.cluster, settings.release_namespace, settings.kill_switch_name),
    )
    controller = ReportController(deps, index)
    notifiers = Notifiers()
    context = OperatorContext(deps, index, notifiers, controller)
    deps.switch.watch(metrics.kill_switch)
    deps.switch.watch(lambda _: notifiers.notify_all())
    deps.switch.watch(lambda _: schedule_policy_updates(context))
    home = settings.release_namespace
    background = [
        asyncio.create_task(controller.run(), name="desk"),
        asyncio.create_task(
            collect_garbage(clients.cluster, clients.clock, index, home), name="housekeeping"
        ),
        asyncio.create_task(watch_kill_switch(deps.switch, clients.clock), name="kill switch"),
        asyncio.create_task(
            watch_runs(clients.cluster, clients.clock, notifiers, home), name="runs"
        ),
    ]
    watched = settings.watch_namespaces
    namespaces = sorted({*watched, home}) if watched else []
    _log.info("operator.leading", version=operator_version(), namespaces=namespaces)
    try:
        tasks = await kopf.spawn_tasks(
            registry=kopf_setup.registered(context, log_in=clients.log_in),
            settings=kopf_setup.configured(),
            standalone=True,
            # kopf would ask the system for its user, who need not have an entry in the container.
            identity=Identity(settings.pod_name),
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
        )
        await kopf.run_tasks(tasks, ignored=_Everything())
    finally:
        ours = [*background, *context.loops]
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)


class _Everything(frozenset[Any]):
    """Holds everything.

    kopf takes every task that is younger than itself for its own, waits five seconds for it and
    then cancels it: answers to the kubelet, the renewal of the lease. It ends its own without
    that, and we end ours.
    """

    def __contains__(self, _: object) -> bool:
        return True


_REPLY_RULES = (
    "DryRunRefused",
    "ModelReplyEmpty",
    "ModelReplyInvalid",
    "ModelReplyTooLarge",
    "PolicyAllowsNothing",
)


async def _first(work: Any, stop: asyncio.Event) -> bool:
    """Return whether the work was done before the stop came."""
    doing, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        await doing
        return True
    doing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await doing
    return False


async def _after(event: Any, stop: asyncio.Event) -> None:
    await event
    stop.set()


def main() -> int:
    """Run the operator with the settings of the environment."""
    return asyncio.run(serve(OperatorSettings()))
