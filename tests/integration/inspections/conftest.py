"""The real inspector and the real client, in front of a fake API server."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from reme_kube.clock import Clock, SystemClock
from reme_kube.cluster import ApiCluster
from reme_kube.credentials import Credentials
from reme_kube.http_client import ApiClient
from reme_operator.investigation.inspector import ClusterInspector
from reme_operator.investigation.readers.base import Sources
from reme_playbook.inspections.base import Inspection, InspectionResult
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.doubles.api_rules import Json
from tests.doubles.fake_api import FakeApi
from tests.doubles.shop import NAMESPACE, open_shop

CART = ObjectRef("Deployment", NAMESPACE, "cart")


class ShopClock(SystemClock):
    """A clock half an hour after the times of the tests' logs and events."""

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 30, tzinfo=UTC)


@dataclass
class Inspected:
    """A shop that can be inspected."""

    api: FakeApi
    cluster: ApiCluster
    fault_start: datetime | None = None
    clock: Clock = field(default_factory=ShopClock)

    def pod(self, name: str = "cart-2-x", **status: object) -> Json:
        """Put a pod of the cart there, of its current ReplicaSet."""
        owner = self.api.get("replicasets", NAMESPACE, "cart-2")
        assert owner is not None
        uid = owner["metadata"]["uid"]
        return self.api.put(
            "pods",
            {
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "labels": {"app": "cart"},
                    "ownerReferences": [{"uid": uid, "controller": True, "kind": "ReplicaSet"}],
                },
                "spec": {
                    "containers": [
                        {"name": "cart", "resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}}
                    ]
                },
                "status": status,
            },
        )

    async def inspect(self, inspection: Inspection, seconds: float = 5.0) -> InspectionResult:
        """Return the result of one inspection."""
        inspector = ClusterInspector(Sources(self.cluster, self.clock))
        snapshot = ClusterSnapshot(
            target=CART,
            objects={},
            neighbours={},
            fault_start=self.fault_start,
            fault_start_observed=self.fault_start is not None,
        )
        return await inspector.inspect(inspection, snapshot, seconds)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Inspected]:
    """Yield a shop that can be inspected."""
    api = FakeApi()
    async with (
        api.running(),
        ApiClient(Credentials(api.url, None), timeout_seconds=2.0, attempts=1) as client,
        ApiCluster(client) as cluster,
    ):
        open_shop(api)
        yield Inspected(api, cluster)


@pytest.fixture
async def shop() -> AsyncIterator[Inspected]:
    async with opened() as inspected:
        yield inspected
