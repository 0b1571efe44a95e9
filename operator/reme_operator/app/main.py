"""The operator's process: connects, waits for the lease, leads, and hands the lease over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from importlib import import_module

import structlog

from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials
from reme_kube.leader_election import ApiLeaseStore, LeaderElector, LeaseTimes
from reme_model.inference.client import OpenAIModel
from reme_model.inference.generation import ModelEndpoint
from reme_operator.app.operate import (
    KOPF_STOP_SECONDS,
    TASKS_STOP_SECONDS,
    ExternalClients,
    operate,
)
from reme_operator.app.signals import stop_on_signals
from reme_operator.investigation.prometheus import PrometheusClient
from reme_operator.probes.prober import ServiceProber
from reme_operator.settings import OperatorSettings
from reme_operator.steps.record import operator_version
from reme_operator.telemetry import logs
from reme_operator.telemetry.health import Health, HealthServer
from reme_operator.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

LEASE_RELEASE_SECONDS = 5.0
CLOSE_SECONDS = 2.0
STOP_SECONDS = KOPF_STOP_SECONDS + TASKS_STOP_SECONDS + LEASE_RELEASE_SECONDS + CLOSE_SECONDS
"""Longest time from SIGTERM to the exit; the chart's grace period is longer."""


async def serve(settings: OperatorSettings) -> int:
    """Run until SIGTERM, or until the lease is lost; return the exit code."""
    logs.configure(settings.log_level, settings.log_format)
    metrics = Metrics(operator_version())
    health = Health(settings.stalled_after_seconds)
    stop = asyncio.Event()
    stop_on_signals(stop)
    # The first request to the model would import this and stop the event loop for a second.
    await asyncio.to_thread(import_module, "openai.resources.chat.completions")
    async with (
        _connect(settings, metrics, health) as clients,
        HealthServer(health, metrics, clients.cluster.ping, port=settings.http_port),
    ):
        return await lead(settings, clients, metrics, health, stop)


@contextlib.asynccontextmanager
async def _connect(
    settings: OperatorSettings, metrics: Metrics, health: Health
) -> AsyncIterator[ExternalClients]:
    credentials = find_credentials()
    clock = SystemClock()
    endpoint = ModelEndpoint(
        url=settings.model_endpoint,
        model=settings.model_name,
        api_key=settings.model_api_key(),
        timeout_seconds=settings.model_timeout_seconds,
        attempts=settings.model_attempts,
        constrained=settings.model_constrained,
    )

    def leadership_changed(leads: bool) -> None:
        metrics.leading(leads)
        health.leading(leads)

    leadership_changed(not settings.leader_election)
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(_api_client(settings, credentials))
        # The lease has its own connections: a flood of work must not cost the leadership.
        lease_api = await stack.enter_async_context(_api_client(settings, credentials))
        cluster = await stack.enter_async_context(
            ApiCluster(
                api,
                watched=settings.watch_namespaces,
                reporter=settings.pod_name,
                on_unreadable=metrics.object_unreadable,
            )
        )
        store = ApiLeaseStore(lease_api, settings.namespace, settings.lease_name)
        times = LeaseTimes(
            settings.lease_duration_seconds,
            settings.lease_renew_seconds,
            settings.lease_retry_seconds,
        )
        lease = LeaderElector(store, clock, settings.pod_name, times, leadership_changed)
        prometheus = None
        if settings.prometheus_url:
            client = PrometheusClient(settings.prometheus_url)
            prometheus = await stack.enter_async_context(client)
        yield ExternalClients(
            cluster=cluster,
            prober=await stack.enter_async_context(ServiceProber(cluster, clock)),
            model=await stack.enter_async_context(OpenAIModel(endpoint)),
            clock=clock,
            lease=lease if settings.leader_election else None,
            prometheus=prometheus,
        )


def _api_client(settings: OperatorSettings, credentials: Credentials) -> ApiClient:
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
    """Wait for the lease, operate while it is held, release it; return the exit code.

    The exit code is 1 when the lease was lost: the process ends, and a fresh one waits for it.
    """
    lease = clients.lease
    if lease is None:
        await operate(settings, clients, metrics, health, stop, lambda: True)
        return 0
    try:
        if not await _finished_before_stop(lease.acquire(), stop):
            return 0
        lease_watch = asyncio.create_task(_stop_after(lease.wait_lost(), stop), name="lease watch")
        try:
            await operate(settings, clients, metrics, health, stop, lambda: lease.leading)
        finally:
            lease_watch.cancel()
        if lease.leading:
            return 0
        _log.error("leadership_lost", holder=lease.holder)
        return 1
    finally:
        await lease.release()


async def _finished_before_stop(work: Awaitable[None], stop: asyncio.Event) -> bool:
    """Return True when the work is done, and False when `stop` was set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        await working
        return True
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return False


async def _stop_after(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Set `stop` once the work ends, however it ends."""
    try:
        await work
    finally:
        stop.set()


def main() -> int:
    """Run the operator with the settings of the environment."""
    return asyncio.run(serve(OperatorSettings()))
