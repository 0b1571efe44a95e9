"""The effect of a fault, measured from outside: nothing that is repaired is asked how it feels."""

from datetime import UTC, datetime

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.scenarios.faults.model import Check, FieldHolds, NoRestarts, Rollout
from reme_benchmark.scenarios.faults.placeholders import FillError, filled
from reme_benchmark.scoring import availability, container_usage, field_paths, pods
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import Measured
from reme_benchmark.scoring.service_state import UnmeasuredError, service
from reme_benchmark.scoring.snapshot import available_of
from reme_kube.errors import ClusterError
from reme_operator.probes.rollout import rollout_sample

Seen = tuple[bool, str, str]
"""Whether it holds, what was seen, and why it does not hold."""
_RECENT_SECONDS = 10.0


async def measure(
    check: Check, context: CaseContext, growth: container_usage.Growth | None = None
) -> Measured:
    """Measure once; never raises, but for cancellation.

    `growth` is what earlier measurements of the same check remembered.
    """
    try:
        check = filled(check, context.values)
        good, value, message = await _seen(check, context, {} if growth is None else growth)
    except (UnmeasuredError, FillError) as error:
        return Measured(name=name_of(check), ok=None, message=str(error))
    except (AgentsError, ClusterError, TimeoutError) as error:
        return Measured(name=name_of(check), ok=None, message=f"not readable: {error}"[:300])
    return Measured(name=name_of(check), ok=good, value=value, message=message)


async def _seen(check: Check, context: CaseContext, growth: container_usage.Growth) -> Seen:
    if check.rollout:
        return await rollout(check.rollout, context)
    if check.serves:
        return await availability.serves(check.serves, context)
    if check.usage:
        return await container_usage.usage_below(check.usage, context)
    if check.throttled:
        return await container_usage.throttled_below(check.throttled, context)
    if check.disk:
        return await container_usage.disk_above(check.disk, context)
    if check.network:
        return await availability.network_good(check.network, context)
    if check.no_restarts:
        return await no_restarts(check.no_restarts, context)
    if check.memory_flat:
        return await container_usage.memory_flat(check.memory_flat, context, growth)
    assert check.field is not None, "a check is exactly one of its kinds"
    return await field(check.field, context)


def name_of(check: Check) -> str:
    """Return what a check is about, in two words."""
    kind = next(name for name in type(check).model_fields if getattr(check, name) is not None)
    found = getattr(check, kind)
    if isinstance(found, FieldHolds):
        return f"{kind} {found.kind}/{found.name} {found.path}"
    return f"{kind} {found.service}"


async def rollout(check: Rollout, context: CaseContext) -> Seen:
    """Whether the newest template is everywhere and as many pods as before are available."""
    found = await service(context, check.service)
    if found.now is None:
        return False, "", f"{found.key} does not exist"
    sample = rollout_sample(found.now, 0)
    available, before = available_of(found.now), context.before.available[found.key]
    if sample.passed and available < before:
        return False, sample.value, f"{available} of {before} pods are available"
    return bool(sample.passed), sample.value, sample.message


async def no_restarts(check: NoRestarts, context: CaseContext) -> Seen:
    """Whether every container runs, and none was started anew in the last seconds."""
    found = await service(context, check.service)
    now = datetime.now(UTC)
    for pod in found.pods:
        for status in pods.statuses(pod):
            running = (status.get("state") or {}).get("running")
            name = f"{pod['metadata']['name']}/{status['name']}"
            value = f"{status.get('restartCount', 0)} restarts"
            if not running:
                return False, value, f"{name} does not run"
            age = (now - datetime.fromisoformat(running["startedAt"])).total_seconds()
            if status.get("restartCount") and age < _RECENT_SECONDS:
                return False, value, f"{name} was started anew {age:.0f} s ago"
    if not found.pods:
        return False, "", f"{found.key} has no pod"
    return True, f"{sum(pods.restarts(p) for p in found.pods)} restarts", ""


async def field(check: FieldHolds, context: CaseContext) -> Seen:
    """Whether a field of an object has the value."""
    kind = str(context.values["kind"]) if check.kind == "Workload" else check.kind
    scope = "" if kind == "Node" else context.namespace
    found = await context.cluster.get(kind, check.name, scope)
    path = field_paths.parse(check.path)
    value = field_paths.read(found, path) if found is not None else None
    shown = field_paths.shown(value)
    if check.absent:
        return value is None, shown, "" if value is None else f"{check.path} is there"
    if value is None:
        return False, "", f"{check.path} is not there"
    if check.at_least is not None:
        amount = field_paths.number(value)
        good = amount is not None and amount >= check.at_least
        return good, shown, "" if good else f"{check.path} is below {check.at_least:g}"
    if check.equals is None:
        return True, shown, ""
    good = _same(value, field_paths.amount(path, check.equals))
    return good, shown, "" if good else f"{check.path} is not {field_paths.shown(check.equals)}"


async def field_holds(check: FieldHolds, context: CaseContext) -> bool:
    """Whether a field has its value now.

    Raises:
        ClusterError: the object cannot be read.
        FillError: a placeholder has no value.
    """
    return (await field(filled(check, context.values), context))[0]


def _same(one: object, other: object) -> bool:
    """Whether two values are one, however a template wrote them."""
    return one == other or (
        isinstance(one, str | int | float) and field_paths.shown(one) == field_paths.shown(other)
    )
