"""A cluster in memory for the benchmark's own code, and a small healthy system on it."""

import copy
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reme_benchmark.cases.model import Case
from reme_benchmark.faults.model import Fault
from reme_benchmark.injector.faults import Target
from reme_benchmark.oracles.snapshot import Snapshot
from reme_benchmark.situation import Situation
from reme_benchmark.systems.model import Service, System
from reme_benchmark.users import Felt, Second
from reme_operator.clients.api import Answer
from reme_operator.clients.errors import AlreadyExistsError, ConflictError, NotFoundError

Object = dict[str, Any]
NAMESPACE = "shop"
START = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = "2025-12-31T23:00:00Z"


class QuickClock:
    """Time passes only while somebody sleeps, and then at once; `at` lets things happen in it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self._events.append((seconds, next(self._count), event))

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        for event in sorted(e for e in self._events if e[0] <= until):
            self._events.remove(event)
            self.seconds = max(self.seconds, event[0])
            event[2]()
        self.seconds = until


class FakeApi:
    """What the API server proxies: answers by the service's name, else an empty page."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Exception] = {}
        self.asked: list[str] = []

    async def ask(self, path: str, timeout_seconds: float) -> Answer:
        self.asked.append(path)
        for part, answer in self.answers.items():
            if part in path:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return Answer(200, b"{}")


class FakeCluster:
    """The methods of `Cluster`; `after` is called after every write, as controllers would act."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.api = FakeApi()
        self.after: Callable[[FakeCluster], None] = lambda _: None
        self.conflicts = 0  # so many replacements are refused
        self.writes: list[tuple[str, str, str]] = []
        self.fails: Exception | None = None
        self._count = itertools.count(1)

    def put(self, body: Object, **status: Any) -> Object:
        """Set an object as if it were there already, with a uid of its own unless it has one."""
        body = copy.deepcopy(body)
        meta = body["metadata"]
        number = next(self._count)
        meta.setdefault("uid", f"uid-{number}")
        meta.setdefault("generation", 1)
        meta["resourceVersion"] = str(number)
        if status:
            body["status"] = status
        self.objects[body["kind"], meta.get("namespace", ""), meta["name"]] = body
        return body

    def at(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object:
        """Return an object to be changed in place."""
        return self.objects[kind, "" if kind == "Node" else namespace, name]

    def drop(self, kind: str, name: str, namespace: str = NAMESPACE) -> None:
        """Take an object away."""
        del self.objects[kind, namespace, name]

    def _check(self) -> None:
        if self.fails:
            raise self.fails

    async def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        self._check()
        found = self.objects.get((kind, namespace, name))
        return copy.deepcopy(found) if found else None

    async def list(
        self, kind: str, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> "list[Object]":
        self._check()
        return [
            {"apiVersion": "v1", **copy.deepcopy(o)}
            for (k, n, _), o in sorted(self.objects.items())
            if k == kind and (not namespace or n == namespace)
            if (labels or {}).items() <= (o["metadata"].get("labels") or {}).items()
        ]

    async def create(self, body: Object) -> Object:
        key = (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if key in self.objects:
            raise AlreadyExistsError(str(key))
        self.writes.append(("create", key[0], key[2]))
        made = self.put(body)
        self.after(self)
        return made

    async def replace(self, body: Object) -> Object:
        key = (body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if self.conflicts:
            self.conflicts -= 1
            raise ConflictError("changed since")
        if key not in self.objects:
            raise NotFoundError(str(key))
        old = self.objects[key]
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise ConflictError("changed since")
        self.writes.append(("replace", key[0], key[2]))
        body = {**copy.deepcopy(body), "status": old.get("status", {})}
        if body.get("spec") != old.get("spec"):
            body["metadata"]["generation"] = old["metadata"]["generation"] + 1
        self.put(body)
        self.after(self)
        return body

    async def patch(
        self, kind: str, name: str, namespace: str, body: Any, how: str = "strategic"
    ) -> Object:
        if (kind, namespace, name) not in self.objects:
            raise NotFoundError(name)
        self.writes.append(("patch", kind, name))
        self.after(self)
        return self.objects[kind, namespace, name]

    async def delete(
        self, kind: str, name: str, namespace: str = "", grace: int | None = None
    ) -> bool:
        there = self.objects.pop((kind, namespace, name), None) is not None
        if there:
            self.writes.append(("delete", kind, name))
            self.after(self)
        return there


class FakeAgents:
    """What the node agent measures; whole answers, to be changed by tests."""

    def __init__(self) -> None:
        self.use: Object = {
            "cpu_millicores": 30.0,
            "cpu_limit_millicores": 300,
            "periods": 10,
            "throttled_periods": 0,
            "memory_bytes": 20 * 2**20,
            "memory_limit_bytes": 64 * 2**20,
        }
        self.speed: float = 200 * 2**20
        self.times: list[float] = [5.0]
        self.errors: dict[str, int] = {}
        self.fails: Exception | None = None
        self.asked: list[str] = []
        self.memory: list[int] = []  # taken one after the other, where there are some

    async def usage(self, target: Target, seconds: float = 1.0) -> Object:
        self._check("usage")
        return self.use | ({"memory_bytes": self.memory.pop(0)} if self.memory else {})

    async def disk(self, target: Target, folder: str, *, size: int, seconds: float) -> Object:
        self._check(folder)
        written = min(size, int(self.speed * seconds))
        return {"bytes": written, "bytes_per_second": self.speed}

    async def network(
        self, target: Target, to: str, *, count: int = 5, timeout_seconds: float = 2.0
    ) -> Object:
        self._check(f"{target.pod}: {to}")
        lost = min(count, sum(self.errors.values()))
        times = (self.times * count)[: count - lost]
        return {"sent": count, "milliseconds": times, "errors": dict(self.errors)}

    def _check(self, what: str) -> None:
        self.asked.append(what)
        if self.fails:
            raise self.fails


class FakeUsers:
    """What users felt: the same in every second until a test changes it."""

    def __init__(self, clock: QuickClock) -> None:
        self._clock = clock
        self.percent = 100
        self.p50: float | None = 20.0
        self.silent = False

    async def felt(self, seconds: int) -> Felt:
        if self.silent:
            return Felt()
        return Felt(ok=self.percent, failed=100 - self.percent, p50_milliseconds=self.p50)

    async def between(self, begin: float, end: float) -> Felt | None:
        if self.silent or self._clock.now().timestamp() < end + 3:
            return None
        return await self.felt(int(end - begin))

    async def since(self, time: float) -> Felt:
        return Felt(seconds=(Second(int(time), 1, 0),))


def deployment(name: str, replicas: int = 1, namespace: str = NAMESPACE) -> Object:
    container = {
        "name": name,
        "image": "shop:1",
        "env": [{"name": "NAME", "value": name}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {
            "requests": {"cpu": "20m", "memory": "32Mi"},
            "limits": {"cpu": "300m", "memory": "64Mi"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "scratch", "emptyDir": {}}],
                },
            },
        },
    }


def service(name: str, namespace: str = NAMESPACE) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "clusterIP": "10.0.0.1",
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def pod(name: str, owner: Object, namespace: str = NAMESPACE) -> Object:
    """Return a ready pod of a ReplicaSet."""
    template = copy.deepcopy(owner["spec"]["template"])
    container = template["spec"]["containers"][0]["name"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": owner["kind"],
                    "name": owner["metadata"]["name"],
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "podIP": "10.1.0.1",
            "hostIP": "10.2.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": container,
                    "restartCount": 0,
                    "ready": True,
                    "containerID": "containerd://" + "a" * 64,
                    "state": {"running": {"startedAt": STARTED}},
                }
            ],
        },
    }


def deploy(cluster: FakeCluster, name: str, replicas: int = 1, namespace: str = NAMESPACE) -> None:
    """Put a Deployment with its ReplicaSet, pods, Service and endpoints, all of them healthy."""
    made = cluster.put(
        deployment(name, replicas, namespace),
        observedGeneration=1,
        replicas=replicas,
        updatedReplicas=replicas,
        availableReplicas=replicas,
    )
    made["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    owner = {"kind": "Deployment", "name": name, "uid": made["metadata"]["uid"], "controller": True}
    replica_set = cluster.put(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{name}-1",
                "namespace": namespace,
                "labels": {"app": name},
                "annotations": {"deployment.kubernetes.io/revision": "1"},
                "ownerReferences": [{"apiVersion": "apps/v1", **owner}],
            },
            "spec": {"replicas": replicas, "template": made["spec"]["template"]},
        },
        replicas=replicas,
    )
    names = [f"{name}-1-{number}" for number in range(replicas)]
    for pod_name in names:
        cluster.put(pod(pod_name, replica_set, namespace))
    cluster.put(service(name, namespace))
    cluster.put(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-1",
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": name},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "controller": True}],
            },
            "endpoints": [{"targetRef": {"name": n}, "conditions": {"ready": True}} for n in names],
        }
    )


def shop() -> FakeCluster:
    """Return a cluster with front -> cart, their users, and the injector."""
    cluster = FakeCluster()
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-0"}, "spec": {}}
    cluster.put(node)
    cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    deploy(cluster, "front")
    deploy(cluster, "cart", 2)
    deploy(cluster, "users", namespace=f"{NAMESPACE}-users")
    agent = deployment("fault-agent", namespace="reme-faults") | {"kind": "DaemonSet"}
    made = cluster.put(agent, desiredNumberScheduled=1, numberAvailable=1)
    cluster.put(pod("fault-agent-1", made, "reme-faults"))
    return cluster


def system() -> System:
    amounts = {
        "cpu_request": "20m",
        "memory_request": "32Mi",
        "cpu_limit": "300m",
        "memory_limit": "64Mi",
    }
    return System(
        name="shop",
        title="Shop",
        source="tests",
        front="front",
        rate=4,
        services=(
            Service(name="front", role="front", port=80, calls=("cart",), **amounts),
            Service(name="cart", port=80, replicas=2, **amounts),
        ),
    )


def situation(
    cluster: FakeCluster,
    before: Snapshot,
    fault: Fault | None,
    *,
    clock: QuickClock | None = None,
    **case: Any,
) -> Situation:
    """Return the case of a fault in `cart`."""
    values: dict[str, Any] = {
        "id": "t-1",
        "system": "shop",
        "fault": fault.id if fault else None,
        "service": "cart",
        "reported_service": "cart",
    }
    return Situation(
        cluster=cluster,  # type: ignore[arg-type]
        agents=FakeAgents(),  # type: ignore[arg-type]
        users=FakeUsers(clock or QuickClock()),  # type: ignore[arg-type]
        namespace=NAMESPACE,
        system=system(),
        case=Case.model_validate(values | case),
        fault=fault,
        before=before,
        values={"service": "cart", "kind": "Deployment", "container": "cart"},
    )


def fault(*effect: Mapping[str, Any], **oracle: Any) -> Fault:
    """Return a fault that is judged by these checks."""
    published = oracle.pop("published", None)
    return Fault.model_validate(
        {
            "id": "some-fault",
            "group": "microremed",
            "title": "t",
            "description": "d",
            "why_not_restart": "w",
            "inject": [{"pause": {"seconds": 0}}],
            "oracle": {"effect": list(effect), "settle_seconds": 20, "window_seconds": 5, **oracle},
            "published": published,
            "report": {
                "type": "t",
                "summary": "s",
                "terse": "t",
                "misleading": "m",
                "misleading_type": "m",
                "probes": [{"name": "p"}],
            },
        }
    )
