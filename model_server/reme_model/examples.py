"""Made-up incidents with their repairs, which the prompt shows before the real one.

Their lines are of the form that `context.describe` writes; a test holds the two together. Names
are of no system that anybody measures reme with.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reme_model.schema import Abstain
from reme_sandbox.actions import (
    Action,
    PatchServicePort,
    PatchServiceSelector,
    Restart,
    Rollback,
    Scale,
    SetEnv,
    SetResources,
)
from reme_sandbox.keys import ObjectKey


@dataclass(frozen=True)
class Example:
    """An incident, what was possible, and what was right."""

    context: str
    space: tuple[Action, ...]
    repair: tuple[Action, ...] = ()
    abstain: Abstain | None = None


def _workload(name: str, namespace: str) -> ObjectKey:
    return ObjectKey("Deployment", namespace, name)


def _image() -> Example:
    target = _workload("mailer", "office")
    back = Rollback(target=target)
    return Example(
        context="""\
reported fault: bad-rollout: "mailer pods do not start"
target: Deployment mailer in office, 1 of 3 replicas ready (not normal: 2 missing)
container app: image mailer:7.0-beta, cpu limit 200m, memory limit 64Mi, port 9000
usage of app: cpu 11m of 200m (5%, normal), memory 20Mi of 64Mi (31%, normal)
pod mailer-7c9d and 1 more: ImagePullBackOff, "Back-off pulling image 'mailer:7.0-beta'"
service mailer: selector app=mailer matches the pods (normal), port 80 to 9000 (normal)
previous revision 4: app image mailer:6.2 (now mailer:7.0-beta)""",
        space=(Restart(target=target), back, *_scales(target, 4, 6), *_memory(target, "app", 96)),
        repair=(back,),
    )


def _selector() -> Example:
    target = _workload("blog", "press")
    service = ObjectKey("Service", "press", "blog")
    select = PatchServiceSelector(target=service, selector={"app": "blog"})
    return Example(
        context="""\
reported fault: no-endpoints: "blog cannot be reached"
target: Deployment blog in press, 2 of 2 replicas ready (normal)
container web: image blog:3.1, cpu limit 500m, memory limit 256Mi, port 3000
usage of web: cpu 20m of 500m (4%, normal), memory 90Mi of 256Mi (35%, normal)
pods: all 2 ready, no restarts (normal)
service blog: selector app=blog-old matches no pod (not normal), pod labels are app=blog, \
port 80 to 3000 (normal)
previous revision 1: web image blog:3.0 (now blog:3.1)""",
        space=(
            Restart(target=target),
            Rollback(target=target),
            *_scales(target, 3, 4),
            *_memory(target, "web", 384),
            select,
        ),
        repair=(select,),
    )


def _busy() -> Example:
    target = _workload("search", "library")
    restart = Restart(target=target)
    return Example(
        context="""\
reported fault: cpu-stress: "search answers slowly"
target: Deployment search in library, 2 of 2 replicas ready (normal)
container main: image search:2.4, cpu limit 400m, memory limit 512Mi, port 7070
usage of main: cpu 400m of 400m (100%, too high), memory 130Mi of 512Mi (25%, normal)
pods: all 2 ready, no restarts (normal)
service search: selector app=search matches the pods (normal), port 80 to 7070 (normal)
history: no other revision""",
        space=(restart, *_scales(target, 3, 4), *_memory(target, "main", 768)),
        repair=(restart,),
    )


def _memory_killed() -> Example:
    target = _workload("render", "studio")
    more = _memory(target, "worker", 384, 512)
    return Example(
        context="""\
reported fault: oom: "render is killed again and again"
target: Deployment render in studio, 0 of 1 replicas ready (not normal: 1 missing)
container worker: image render:1.9, cpu limit 1, memory limit 256Mi, port 8000
pod render-5f6b: CrashLoopBackOff, last ended: OOMKilled with exit code 137, 9 restarts
service render: selector app=render matches the pods (normal), port 80 to 8000 (normal)
previous revision 2: worker image render:1.8 (now render:1.9)""",
        space=(Restart(target=target), Rollback(target=target), *_scales(target, 2), *more),
        repair=(more[1],),
    )


def _healthy() -> Example:
    target = _workload("notes", "desk")
    return Example(
        context="""\
reported fault: cpu-stress: "notes is overloaded"
target: Deployment notes in desk, 2 of 2 replicas ready (normal)
container notes: image notes:5.5, cpu limit 300m, memory limit 128Mi, port 5000
usage of notes: cpu 8m of 300m (2%, normal), memory 41Mi of 128Mi (32%, normal)
pods: all 2 ready, no restarts (normal)
service notes: selector app=notes matches the pods (normal), port 80 to 5000 (normal)
history: no other revision""",
        space=(Restart(target=target), *_scales(target, 3, 4), *_memory(target, "notes", 192)),
        abstain=Abstain.HEALTHY,
    )


def _few() -> Example:
    target = _workload("orders", "depot")
    scales = _scales(target, 2, 4)
    return Example(
        context="""\
reported fault: scaled-down: "orders cannot keep up"
target: Deployment orders in depot, 1 of 1 replicas ready (not normal: revision 3 had 4)
container api: image orders:8.0, cpu limit 250m, memory limit 128Mi, port 8088
usage of api: cpu 249m of 250m (99%, too high), memory 60Mi of 128Mi (46%, normal)
pods: all 1 ready, no restarts (normal)
service orders: selector app=orders matches the pods (normal), port 80 to 8088 (normal)
history: no other revision""",
        space=(Restart(target=target), *scales, *_memory(target, "api", 192)),
        repair=(scales[1],),
    )


def _port() -> Example:
    target = _workload("wiki", "docs")
    lead = PatchServicePort(target=ObjectKey("Service", "docs", "wiki"), port=80, target_port=6000)
    return Example(
        context="""\
reported fault: connection-refused: "wiki refuses connections"
target: Deployment wiki in docs, 1 of 1 replicas ready (normal)
container wiki: image wiki:1.0, cpu limit 100m, memory limit 64Mi, port 6000
usage of wiki: cpu 3m of 100m (3%, normal), memory 20Mi of 64Mi (31%, normal)
pods: all 1 ready, no restarts (normal)
service wiki: selector app=wiki matches the pods (normal), \
port 80 to 6001 (not normal: no container port)
history: no other revision""",
        space=(Restart(target=target), *_scales(target, 2), *_memory(target, "wiki", 96), lead),
        repair=(lead,),
    )


def _variable() -> Example:
    target = _workload("chat", "club")
    name = SetEnv(target=target, container="chat", variable="CACHE_HOST", value="cache")
    return Example(
        context="""\
reported fault: bad-env: "chat cannot find its cache"
target: Deployment chat in club, 0 of 2 replicas ready (not normal: 2 missing)
container chat: image chat:4.4, cpu limit 200m, memory limit 128Mi, port 4000
pod chat-84c6 and 1 more: CrashLoopBackOff, last ended: Error with exit code 1, 5 restarts
service chat: selector app=chat matches the pods (normal), port 80 to 4000 (normal)
history: no other revision
env of chat: CACHE_HOST=cachee (not normal: no such service, possible: cache)""",
        space=(Restart(target=target), *_scales(target, 3, 4), name),
        repair=(name,),
    )


def _scales(target: ObjectKey, *counts: int) -> tuple[Scale, ...]:
    return tuple(Scale(target=target, replicas=count) for count in counts)


def _memory(target: ObjectKey, container: str, *amounts: int) -> tuple[SetResources, ...]:
    return tuple(
        SetResources(target=target, container=container, memory_limit=f"{amount}Mi")
        for amount in amounts
    )


_MAKERS: tuple[Callable[[], Example], ...] = (
    _image,
    _busy,
    _selector,
    _memory_killed,
    _healthy,
    _few,
    _port,
    _variable,
)
EXAMPLES: tuple[Example, ...] = tuple(make() for make in _MAKERS)
