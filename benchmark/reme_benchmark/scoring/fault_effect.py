"""Measures the effect of a fault from outside, without asking the repaired service itself."""

from datetime import UTC, datetime

from reme_benchmark.injection.agent_client import AgentsError
from reme_benchmark.scenarios.faults.model import Check, FieldHolds, NoRestarts, Rollout
from reme_benchmark.scenarios.faults.placeholders import FillError, filled
from reme_benchmark.scoring import availability, container_usage, field_paths, pods
from reme_benchmark.scoring.case_context import CaseContext
from reme_benchmark.scoring.records import Measured
from reme_benchmark.scoring.service_state import CheckResult, UnmeasuredError, read_service
from reme_benchmark.scoring.snapshot import available_of
from reme_kube.errors import ClusterError
from reme_operator.probes.rollout import rollout_sample

_RECENT_SECONDS = 10.0


async def measure(
    check: Check, context: CaseContext, growth: container_usage.Growth | None = None
) -> Measured:
    """Measure once. Raises nothing but cancellation.

    `growth` holds what earlier measurements of the same check recorded.
    """
    try:
        check = filled(check, context.values)
        ok, value, message = await _run_check(check, context, {} if growth is None else growth)
    except (UnmeasuredError, FillError) as error:
        return Measured(name=check_name(check), ok=None, message=str(error))
    except (AgentsError, ClusterError, TimeoutError) as error:
        return Measured(name=check_name(check), ok=None, message=f"not readable: {error}"[:300])
    return Measured(name=check_name(check), ok=ok, value=value, message=message)


async def _run_check(
    check: Check, context: CaseContext, growth: container_usage.Growth
) -> CheckResult:
    if check.rollout:
        return await check_rollout(check.rollout, context)
    if check.serves:
        return await availability.check_serves(check.serves, context)
    if check.usage:
        return await container_usage.check_usage(check.usage, context)
    if check.throttled:
        return await container_usage.check_throttling(check.throttled, context)
    if check.disk:
        return await container_usage.check_disk_speed(check.disk, context)
    if check.network:
        return await availability.check_network(check.network, context)
    if check.no_restarts:
        return await check_restarts(check.no_restarts, context)
    if check.memory_flat:
        return await container_usage.check_memory_growth(check.memory_flat, context, growth)
    assert check.field is not None, "a check has exactly one kind"
    return await check_field(check.field, context)


def check_name(check: Check) -> str:
    """Return the kind of a check and the service or field that it is about."""
    kind = next(name for name in type(check).model_fields if getattr(check, name) is not None)
    content = getattr(check, kind)
    if isinstance(content, FieldHolds):
        return f"{kind} {content.kind}/{content.name} {content.path}"
    return f"{kind} {content.service}"


async def check_rollout(check: Rollout, context: CaseContext) -> CheckResult:
    """Check that the newest template is rolled out and as many pods as before are available."""
    service = await read_service(context, check.service)
    if service.now is None:
        return CheckResult(False, "", f"{service.key} does not exist")
    sample = rollout_sample(service.now, 0)
    available, before = available_of(service.now), context.before.available[service.key]
    if sample.passed and available < before:
        message = f"{available} of {before} pods are available"
        return CheckResult(False, sample.value, message)
    return CheckResult(bool(sample.passed), sample.value, sample.message)


async def check_restarts(check: NoRestarts, context: CaseContext) -> CheckResult:
    """Check that every container runs, and that none restarted recently."""
    service = await read_service(context, check.service)
    now = datetime.now(UTC)
    for pod in service.pods:
        for status in pods.statuses(pod):
            running = (status.get("state") or {}).get("running")
            name = f"{pod['metadata']['name']}/{status['name']}"
            value = f"{status.get('restartCount', 0)} restarts"
            if not running:
                return CheckResult(False, value, f"{name} is not running")
            age = (now - datetime.fromisoformat(running["startedAt"])).total_seconds()
            if status.get("restartCount") and age < _RECENT_SECONDS:
                return CheckResult(False, value, f"{name} restarted {age:.0f} s ago")
    if not service.pods:
        return CheckResult(False, "", f"{service.key} has no pod")
    return CheckResult(True, f"{sum(pods.restarts(p) for p in service.pods)} restarts", "")


async def check_field(check: FieldHolds, context: CaseContext) -> CheckResult:
    """Check that a field of an object has the expected value."""
    kind = str(context.values["kind"]) if check.kind == "Workload" else check.kind
    scope = "" if kind == "Node" else context.namespace
    item = await context.cluster.get(kind, check.name, scope)
    path = field_paths.parse(check.path)
    value = field_paths.read(item, path) if item is not None else None
    shown = field_paths.shown(value)
    if check.absent:
        return CheckResult(value is None, shown, "" if value is None else f"{check.path} is set")
    if value is None:
        return CheckResult(False, "", f"{check.path} is not set")
    if check.at_least is not None:
        amount = field_paths.number(value)
        ok = amount is not None and amount >= check.at_least
        return CheckResult(ok, shown, "" if ok else f"{check.path} is below {check.at_least:g}")
    if check.equals is None:
        return CheckResult(True, shown, "")
    ok = _equal_values(value, field_paths.amount(path, check.equals))
    expected = field_paths.shown(check.equals)
    return CheckResult(ok, shown, "" if ok else f"{check.path} is not {expected}")


async def field_holds(check: FieldHolds, context: CaseContext) -> bool:
    """Return whether a field has the expected value now.

    Raises:
        ClusterError: the object cannot be read.
        FillError: a placeholder has no value.
    """
    return (await check_field(filled(check, context.values), context)).ok


def _equal_values(one: object, other: object) -> bool:
    """Return whether two values are equal, also as text: templates may write numbers as strings."""
    return one == other or (
        isinstance(one, str | int | float) and field_paths.shown(one) == field_paths.shown(other)
    )
