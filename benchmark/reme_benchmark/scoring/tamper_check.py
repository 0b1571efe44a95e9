"""What must stay out of a method's reach: the injector, the users, and how all was before."""

import asyncio
import hashlib
import json
from dataclasses import dataclass

from reme_benchmark.injection.agent_client import NAMESPACE as INJECTOR
from reme_benchmark.kube.cluster import Cluster, Object
from reme_benchmark.scenarios.systems.render import USERS, users_namespace
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.snapshot import Snapshot, take, told
from reme_benchmark.scoring.user_sli import UserSli

_AGENT = "fault-agent"
_BEFORE_SECONDS = 10


@dataclass
class TamperCheck:
    """What was noted before the fault, and again when the method began."""

    users: UserSli
    identity: dict[str, str]  # what: which one it was, and what it was told
    reported: Snapshot | None = None  # with the fault in place, before the method did anything

    @classmethod
    async def take(cls, context: CaseContext) -> "TamperCheck":
        """Note how things are while the system is healthy.

        Raises:
            ClusterError: they cannot be read.
        """
        felt, identity = await asyncio.gather(
            context.users.felt(_BEFORE_SECONDS),
            _identity(context.cluster, context.namespace),
        )
        return cls(felt, identity)

    async def mark(self, context: CaseContext) -> None:
        """Note how things are when the fault shows: what differs later, the method did.

        Raises:
            ClusterError: they cannot be read.
        """
        self.reported = await take(context.cluster, context.namespace)

    async def touched(self, context: CaseContext) -> list[str]:
        """Return what is not the one that it was.

        Raises:
            ClusterError: it cannot be read.
        """
        now = await _identity(context.cluster, context.namespace)
        return [
            f"{what} {'is gone' if what not in now else 'is not the same any more'}"
            for what in sorted(self.identity)
            if now.get(what) != self.identity[what]
        ]


async def _identity(cluster: Cluster, namespace: str) -> dict[str, str]:
    home = users_namespace(namespace)
    agent, users, service, agents = await asyncio.gather(
        cluster.get("DaemonSet", _AGENT, INJECTOR),
        cluster.get("Deployment", USERS, home),
        cluster.get("Service", USERS, home),
        cluster.list("Pod", INJECTOR),
    )
    found = {
        f"the injector {_AGENT}": _one("DaemonSet", agent),
        f"the load generator {home}/{USERS}": _one("Deployment", users),
        f"the way to the load generator {home}/{USERS}": _one("Service", service),
    }
    found |= {
        f"the injector's pod {p['metadata']['name']}": str(p["metadata"]["uid"])
        for p in agents
        if not p["metadata"].get("deletionTimestamp")
    }
    return {what: one for what, one in found.items() if one}


def _one(kind: str, item: Object | None) -> str:
    if item is None:
        return ""
    text = json.dumps(told({"apiVersion": "", "kind": kind, **item}), sort_keys=True)
    return f"{item['metadata']['uid']} {hashlib.sha256(text.encode()).hexdigest()}"
