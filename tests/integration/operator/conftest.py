"""The real operator, kopf and all, between a fake API server and a fake model on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import kopf
import pytest

from reme_api.diagnosis_report import DiagnosisReport
from reme_api.remediation import Remediation
from reme_kube.clock import SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_model.inference.client import OpenAIModel
from reme_model.inference.generation import ModelEndpoint
from reme_operator.app.operate import ExternalClients, operate
from reme_operator.settings import OperatorSettings
from reme_operator.telemetry.health import Health
from reme_operator.telemetry.metrics import Metrics
from tests.doubles.fake_api import FakeApi, refusal
from tests.doubles.fake_model import FakeModel
from tests.doubles.shop import NAMESPACE, RELEASE, ImageProber, JobRunner


@dataclass
class World:
    """Everything around one operator."""

    api: FakeApi
    model: FakeModel
    runner: JobRunner
    prober: ImageProber
    metrics: Metrics = field(default_factory=Metrics)
    model_timeout_seconds: float = 5.0
    leads: bool = True
    settings: dict[str, Any] = field(default_factory=dict)  # of the operator, beside the usual

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run an operator until the end of the block, then stop it as SIGTERM would."""
        stop = asyncio.Event()
        settings = OperatorSettings(
            namespace=RELEASE,
            sandbox_image="sandbox:test",
            model_endpoint=self.model.url,
            api_timeout_seconds=2.0,
            api_attempts=2,
            **self.settings,
        )
        endpoint = ModelEndpoint(
            url=self.model.url, timeout_seconds=self.model_timeout_seconds, longest_wait_seconds=0.2
        )

        def log_in(**_: Any) -> kopf.ConnectionInfo:
            return kopf.ConnectionInfo(server=self.api.url)

        async with (
            ApiClient(Credentials(self.api.url, None), timeout_seconds=2.0, attempts=2) as server,
            OpenAIModel(endpoint) as model,
        ):
            clients = ExternalClients(
                cluster=ApiCluster(server),
                prober=self.prober,
                model=model,
                clock=SystemClock(),
                lease=None,
                log_in=log_in,
            )
            task = asyncio.create_task(
                operate(settings, clients, self.metrics, Health(60.0), stop, lambda: self.leads)
            )
            try:
                yield task
            finally:
                stop.set()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait_for(task, 20)

    def kill(self, operator: asyncio.Task[None]) -> None:
        """End an operator as SIGKILL would: from now on nothing of it reaches the API server."""
        dead = refusal(503, times=10**9)
        self.api.faults.append(dead)
        operator.add_done_callback(lambda _: self.api.faults.remove(dead))
        operator.cancel()

    def remediations(self) -> list[Remediation]:
        """Return all remediations."""
        return [Remediation.model_validate(o) for o in self.api.all("remediations", NAMESPACE)]

    def report(self, name: str = "cart-down") -> DiagnosisReport:
        """Return a report."""
        obj = self.api.get("diagnosisreports", NAMESPACE, name)
        assert obj is not None
        return DiagnosisReport.model_validate(obj)

    async def until(self, check: Callable[[], Any], seconds: float = 10) -> Any:
        """Return what the check returns as soon as it is true."""
        try:
            async with asyncio.timeout(seconds):
                while not (result := check()):  # noqa: ASYNC110 - a test polls
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {self.remediations()}") from None
        return result

    async def ended(self, seconds: float = 20) -> Remediation:
        """Wait until the only remediation has its outcome."""

        def outcome() -> Remediation | None:
            return next((r for r in self.remediations() if r.status.outcome), None)

        value = await self.until(outcome, seconds)
        assert isinstance(value, Remediation)
        return value

    def leftovers(self) -> list[str]:
        """Return everything that is left of runs."""
        kinds = ("jobs", "serviceaccounts", "rungrants", "rolebindings")
        lines = [f"{k}/{o['metadata']['name']}" for k in kinds for o in self.api.all(k)]
        maps = self.api.all("configmaps", RELEASE)
        return lines + [f"configmaps/{o['metadata']['name']}" for o in maps]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    api, model = FakeApi(), FakeModel()
    async with api.running(), model.running():
        runner = JobRunner(api)
        api.hooks.append(runner)
        yield World(api, model, runner, ImageProber(api))
