"""Invented incidents with their repairs, shown before the real incident.

Their lines have the format of `context.describe_incident`; a test checks that. No name occurs in a
system of the benchmark.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reme_model.prompt.schema import Abstain
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.registry import Action
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector
from reme_playbook.snapshot.object_ref import ObjectRef


@dataclass(frozen=True)
class Example:
    """An incident, the possible actions, and the expected answer."""

    context: str
    space: tuple[Action, ...]
    repair: tuple[Action, ...] = ()
    abstain: Abstain | None = None


def _workload(name: str, namespace: str) -> ObjectRef:
    return ObjectRef("Deployment", namespace, name)


def _image() -> Example:
    target = _workload("mailer", "office")
    back = Rollback(target=target)
    return Example(
        context="""\
reported fault: bad-rollout: "mailer pods do not start"
target: Deployment mailer in office, 1 of 3 replicas ready
container app: image mailer:7.0-beta, cpu limit 200m, memory limit 64Mi
previous revision 4: app image mailer:6.2 (now mailer:7.0-beta)
normal: cpu of app 5%, memory of app 31%, service mailer
wrong: 2 of 3 replicas not ready
wrong: pod mailer-7c9d and 1 more: ImagePullBackOff, "Back-off pulling image 'mailer:7.0-beta'"
wrong: the image of app cannot be pulled, revision 4 had another""",
        space=(Restart(target=target), back, *_scales(target, 4, 6), *_memory(target, "app", 96)),
        repair=(back,),
    )


def _few() -> Example:
    target = _workload("orders", "depot")
    scales = _scales(target, 2, 4)
    return Example(
        context="""\
reported fault: scaled-down: "orders cannot keep up"
target: Deployment orders in depot, 1 of 1 replicas ready
container api: image orders:8.0, cpu limit 250m, memory limit 128Mi
no other revision
normal: memory of api 46%, pods, service orders
wrong: fewer replicas than before: there were 4
wrong: cpu of api too high, 249m of 250m (99%)""",
        space=(Restart(target=target), *scales, *_memory(target, "api", 192)),
        repair=(scales[1],),
    )


def _memory_killed() -> Example:
    target = _workload("render", "studio")
    more = _memory(target, "worker", 384, 512)
    return Example(
        context="""\
reported fault: oom: "render is killed again and again"
target: Deployment render in studio, 0 of 1 replicas ready
container worker: image render:1.9, cpu limit 1, memory limit 256Mi
previous revision 2: worker image render:1.8 (now render:1.9)
normal: service render
wrong: 1 of 1 replicas not ready
wrong: pod render-5f6b: CrashLoopBackOff, last ended: OOMKilled with exit code 137, 9 restarts
wrong: worker was killed for more memory than its limit of 256Mi""",
        space=(Restart(target=target), Rollback(target=target), *_scales(target, 2), *more),
        repair=(more[1],),
    )


def _variable() -> Example:
    target = _workload("chat", "club")
    name = SetEnv(target=target, container="chat", variable="CACHE_HOST", value="cache")
    return Example(
        context="""\
reported fault: bad-env: "chat cannot find its cache"
target: Deployment chat in club, 0 of 2 replicas ready
container chat: image chat:4.4, cpu limit 200m, memory limit 128Mi
no other revision
normal: service chat
wrong: 2 of 2 replicas not ready
wrong: pod chat-84c6 and 1 more: CrashLoopBackOff, last ended: Error with exit code 1, 5 restarts
wrong: CACHE_HOST of chat is cachee, which is no service: there is cache""",
        space=(Restart(target=target), *_scales(target, 3, 4), name),
        repair=(name,),
    )


def _selector() -> Example:
    target = _workload("blog", "press")
    service = ObjectRef("Service", "press", "blog")
    select = PatchServiceSelector(target=service, selector={"app": "blog"})
    return Example(
        context="""\
reported fault: no-endpoints: "blog cannot be reached"
target: Deployment blog in press, 2 of 2 replicas ready
container web: image blog:3.1, cpu limit 500m, memory limit 256Mi
previous revision 1: web image blog:3.0 (now blog:3.1)
normal: cpu of web 4%, memory of web 35%, pods
wrong: service blog has selector app=blog-old, which matches no pod: their labels are app=blog""",
        space=(
            Restart(target=target),
            Rollback(target=target),
            *_scales(target, 3, 4),
            *_memory(target, "web", 384),
            select,
        ),
        repair=(select,),
    )


def _port() -> Example:
    target = _workload("wiki", "docs")
    lead = PatchServicePort(target=ObjectRef("Service", "docs", "wiki"), port=80, target_port=6000)
    return Example(
        context="""\
reported fault: connection-refused: "wiki refuses connections"
target: Deployment wiki in docs, 1 of 1 replicas ready
container wiki: image wiki:1.0, cpu limit 100m, memory limit 64Mi
no other revision
normal: cpu of wiki 3%, memory of wiki 31%, pods
wrong: service wiki leads port 80 to 6001, which no container has: they have 6000""",
        space=(Restart(target=target), *_scales(target, 2), *_memory(target, "wiki", 96), lead),
        repair=(lead,),
    )


def _busy() -> Example:
    target = _workload("search", "library")
    restart = Restart(target=target)
    return Example(
        context="""\
reported fault: cpu-stress: "search answers slowly"
target: Deployment search in library, 2 of 2 replicas ready
container main: image search:2.4, cpu limit 400m, memory limit 512Mi
no other revision
normal: memory of main 25%, pods, service search
wrong: cpu of main too high in 2 of 2 pods, 400m of 400m (100%)""",
        space=(restart, *_scales(target, 3, 4), *_memory(target, "main", 768)),
        repair=(restart,),
    )


def _full() -> Example:
    target = _workload("photos", "album")
    restart = Restart(target=target)
    return Example(
        context="""\
reported fault: memory-stress: "photos takes more and more memory"
target: Deployment photos in album, 1 of 1 replicas ready
container srv: image photos:2.0, cpu limit 600m, memory limit 192Mi
no other revision
normal: cpu of srv 7%, pods, service photos
wrong: memory of srv too high, 189Mi of 192Mi (98%)""",
        space=(restart, *_scales(target, 2), *_memory(target, "srv", 288)),
        repair=(restart,),
    )


def _healthy() -> Example:
    target = _workload("notes", "desk")
    return Example(
        context="""\
reported fault: cpu-stress: "notes is overloaded"
target: Deployment notes in desk, 2 of 2 replicas ready
container notes: image notes:5.5, cpu limit 300m, memory limit 128Mi
no other revision
normal: cpu of notes 2%, memory of notes 32%, pods, service notes
wrong: nothing""",
        space=(Restart(target=target), *_scales(target, 3, 4), *_memory(target, "notes", 192)),
        abstain=Abstain.HEALTHY,
    )


def _scales(target: ObjectRef, *counts: int) -> tuple[Scale, ...]:
    return tuple(Scale(target=target, replicas=count) for count in counts)


def _memory(target: ObjectRef, container: str, *amounts: int) -> tuple[SetResources, ...]:
    return tuple(
        SetResources(target=target, container=container, memory_limit=f"{amount}Mi")
        for amount in amounts
    )


# Found by experiment: small models prefer what they read last; with these two last they do best.
_MAKERS: tuple[Callable[[], Example], ...] = (
    _busy,
    _full,
    _image,
    _healthy,
    _few,
    _memory_killed,
    _variable,
    _selector,
    _port,
)
EXAMPLES: tuple[Example, ...] = tuple(make() for make in _MAKERS)
