"""Detects whether a method tampered with the fault injector or the load generator."""

import asyncio
import hashlib
import json
from dataclasses import dataclass

from reme_benchmark.injection.agent_client import NAMESPACE as INJECTOR
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scenarios.systems.render import USERS, users_namespace
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.snapshot import Snapshot, desired_state, take_snapshot
from reme_benchmark.scoring.user_sli import UserSli

_AGENT = "fault-agent"
_BEFORE_SECONDS = 10


@dataclass
class TamperCheck:
    """What was recorded before the fault, and when the method got the report."""

    users: UserSli  # before the fault
    fingerprints: dict[str, str]  # by description of the object: its uid and desired state
    at_report: Snapshot | None = None  # with the fault, before the method acted

    @classmethod
    async def record(cls, context: CaseContext) -> "TamperCheck":
        """Record the state while the system is healthy.

        Raises:
            ClusterError: it cannot be read.
        """
        users, fingerprints = await asyncio.gather(
            context.users.recent(_BEFORE_SECONDS),
            _read_fingerprints(context.cluster, context.namespace),
        )
        return cls(users, fingerprints)

    async def record_report_time(self, context: CaseContext) -> None:
        """Record the state when the method gets the report; later changes are the method's.

        Raises:
            ClusterError: it cannot be read.
        """
        self.at_report = await take_snapshot(context.cluster, context.namespace)

    async def tampered(self, context: CaseContext) -> list[str]:
        """Return which of the recorded objects were deleted, replaced or changed.

        Raises:
            ClusterError: they cannot be read.
        """
        now = await _read_fingerprints(context.cluster, context.namespace)
        return [
            f"{what} {'was deleted' if what not in now else 'was changed or replaced'}"
            for what in sorted(self.fingerprints)
            if now.get(what) != self.fingerprints[what]
        ]


async def _read_fingerprints(cluster: Cluster, namespace: str) -> dict[str, str]:
    home = users_namespace(namespace)
    agent, users, service, agents = await asyncio.gather(
        cluster.get("DaemonSet", _AGENT, INJECTOR),
        cluster.get("Deployment", USERS, home),
        cluster.get("Service", USERS, home),
        cluster.list("Pod", INJECTOR),
    )
    fingerprints = {
        f"the injector {_AGENT}": _fingerprint("DaemonSet", agent),
        f"the load generator {home}/{USERS}": _fingerprint("Deployment", users),
        f"the Service of the load generator {home}/{USERS}": _fingerprint("Service", service),
    }
    fingerprints |= {
        f"the injector's pod {p['metadata']['name']}": str(p["metadata"]["uid"])
        for p in agents
        if not p["metadata"].get("deletionTimestamp")
    }
    return {what: fingerprint for what, fingerprint in fingerprints.items() if fingerprint}


def _fingerprint(kind: str, item: Object | None) -> str:
    if item is None:
        return ""
    text = json.dumps(desired_state({"apiVersion": "", "kind": kind, **item}), sort_keys=True)
    return f"{item['metadata']['uid']} {hashlib.sha256(text.encode()).hexdigest()}"
