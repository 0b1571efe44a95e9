"""Builds the ground truth of a trial: how the programs behave, and what the fault changed.

It comes from the settings of the programs (`workload.settings`) and from the fault's data, by the
same rules for every fault.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reme_benchmark.fidelity.records import Inputs
from reme_benchmark.injection import pod_failure
from reme_benchmark.scenarios.faults.model import Agent, Fault
from reme_benchmark.scenarios.faults.placeholders import FillError, fill, filled
from reme_benchmark.scenarios.systems.model import Service, System
from reme_lab.simulator import (
    AllowedDifference,
    Behaviour,
    Call,
    EntryPoint,
    GroundTruth,
    NumericSetting,
    Program,
    RecurringStress,
    Stress,
    is_none_of,
    is_one_of,
    rule,
)
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.quantity import memory_bytes

_MIB = 2**20
_INTERPRETER_BYTES = 11 * _MIB
_SERVING_MILLICORES = 12
"""CPU of a program for sending and answering a few requests a second, besides its work."""
_ANSWER_MILLISECONDS = 10
_START_SECONDS, _START_CPU_MILLISECONDS = 0.3, 350
_COMMAND = "python -m reme_benchmark.workload"


def program(system: System, service: Service) -> Program:
    """Return how the program of a service behaves with its settings.

    Describes `/` and what every request does, because probes request nothing else.
    """
    usual = Behaviour(
        port=8080,
        any_path=True,
        ready_paths=frozenset({"/ready"}),
        startup_seconds=_START_SECONDS,
        startup_cpu_milliseconds=_START_CPU_MILLISECONDS,
        latency_milliseconds=_ANSWER_MILLISECONDS,
        cpu_millicores=_SERVING_MILLICORES,
        memory_bytes=_INTERPRETER_BYTES + 4 * _MIB,
    )
    unready = rule(is_one_of("MODE", "maintenance"), unready=True)
    unknown = rule(is_none_of("MODE", "normal", "maintenance", None), exit_code=1)
    missing = [rule(is_one_of(key, None, ""), exit_code=1) for key in service.config]
    other_command = rule(is_none_of("command", _COMMAND), exit_code=1)
    return Program(
        container=service.container_name,
        default=usual,
        rules=(unready, unknown, *missing, other_command),
        numeric_settings=(
            NumericSetting("port", "PORT"),
            NumericSetting("error_percent", "FAIL_PERCENT"),
            NumericSetting(
                "latency_milliseconds", "LATENCY_MILLISECONDS", plus=_ANSWER_MILLISECONDS
            ),
            NumericSetting("call_timeout_milliseconds", "CALL_TIMEOUT_MILLISECONDS"),
            NumericSetting("retries", "RETRIES"),
            NumericSetting("memory_bytes", "MEMORY_MEBIBYTES", _MIB, _INTERPRETER_BYTES),
            NumericSetting("leaks", "LEAK_KIBIBYTES"),
            NumericSetting("writes_disk", "DISK_KIBIBYTES"),
            # The bytes written at the start, and one more block for a request.
            NumericSetting("scratch_bytes", "FILL_MEBIBYTES", _MIB, 4096),
            NumericSetting("startup_seconds", "STARTUP_SECONDS", plus=_START_SECONDS),
            NumericSetting("cpu_millicores", "CPU_MILLISECONDS", system.rate, _SERVING_MILLICORES),
        ),
        calls=(Call(setting="CALLS"),),
    )


def ground_truth(
    system: System, fault: Fault, inputs: Inputs, *, broken: bool = True
) -> GroundTruth:
    """Return the ground truth of a trial; with `broken` false, from before the fault."""
    target = inputs.live.target
    own = program(system, system.service(target.name))
    if broken:
        own = Program(
            **{**vars(own), "recurring_stress": tuple(_recurring_stresses(fault, inputs))}
        )
    programs = {target: own, **dict(_other_programs(system, inputs, broken=broken))}
    return GroundTruth(
        programs=programs,
        missing_secret_keys=frozenset(_removed_secret_keys(fault, inputs.values))
        if broken
        else frozenset(),
        entry_points=tuple(_entry_points(system, inputs)),
        policies_enforced=inputs.policies_enforced,
        metrics_available=inputs.metrics,
        allowed_differences=tuple(_allowed_differences(fault, inputs.values)),
        patience_seconds=inputs.patience_seconds,
    )


def stresses(fault: Fault, inputs: Inputs) -> dict[str, Stress]:
    """Return the stress of single pods, by the name of the pod."""
    stress = Stress()
    for step in fault.inject:
        if step.pod_fail is not None:
            return {inputs.pod: Stress(failed=True, image=pod_failure.IMAGE)}
        if step.agent is not None and not step.agent.follow:
            stress = _stress(step.agent, inputs)
    return {inputs.pod: stress} if stress != Stress() and inputs.pod else {}


def _stress(step: Agent, inputs: Inputs) -> Stress:
    options = fill(step.options, inputs.values)
    match step.fault:
        case "cpu":
            return Stress(cpu=True)
        case "memory":
            container = inputs.live.container(str(inputs.values["container"]))
            limit = container.resources.memory_limit if container else None
            share = options["percent_of_limit"] / 100
            return Stress(memory_bytes=int(memory_bytes(limit or "0") * share))
        case "disk":
            return Stress(disk=True)
        case "loss":
            return Stress(loss_percent=int(options["percent"]))
        case "delay":
            return Stress(delay_milliseconds=int(options["milliseconds"]))


def _recurring_stresses(fault: Fault, inputs: Inputs) -> Iterator[RecurringStress]:
    for step in fault.inject:
        if step.agent is None or not step.agent.follow:
            continue
        when: tuple[Any, ...] = ()
        if step.agent.while_field is not None:
            cause = filled(step.agent.while_field, inputs.values)
            variable = cause.path.rpartition(".env[")[2].partition("]")[0]
            when = (is_one_of(variable, str(cause.equals)),)
        yield RecurringStress(_stress(step.agent, inputs), when)


def _other_programs(
    system: System, inputs: Inputs, *, broken: bool
) -> Iterator[tuple[ObjectRef, Program]]:
    """Yield the programs of the other workloads, with their current settings.

    A snapshot does not contain their templates.
    """
    known = {service.name: service for service in system.services}
    for key in inputs.live.neighbours:
        service = known.get(key.name)
        workload = next((w for w in inputs.others if _identifies(w, key)), None)
        if service is None or service.role == "load":
            continue
        own = program(system, service)
        settings: dict[str, str] = {"command": _COMMAND, "PORT": str(service.container_port)}
        settings |= service.config
        usual = own.behaviour(settings)
        if broken and workload is not None:
            usual = own.behaviour(settings | _environment(workload))
            if unstructured.number(workload, "spec", "replicas", default=1) == 0:
                usual = Behaviour(port=usual.port, exit_code=1)
        yield (
            key,
            Program(
                default=usual, calls=tuple(_calls_to_target(system, service, inputs.live.target))
            ),
        )


def _calls_to_target(system: System, service: Service, target: ObjectRef) -> Iterator[Call]:
    """Yield the calls of a service to the target."""
    port = system.service(target.name).port
    if target.name in service.calls:
        yield Call(service=target.name, port=port)
    for path, names in service.routes.items():
        if target.name in names:
            yield Call(service=target.name, port=port, path=path)


def _entry_points(system: System, inputs: Inputs) -> Iterator[EntryPoint]:
    """Yield the entry point of users, if the snapshot contains its Service."""
    if any((k.kind, k.name) == ("Service", system.front) for k in inputs.live.objects):
        yield EntryPoint(system.front, system.service(system.front).port, system.path)


def _identifies(item: Mapping[str, Any], key: ObjectRef) -> bool:
    return (unstructured.text(item, "kind"), unstructured.text(item, "metadata", "name")) == (
        key.kind,
        key.name,
    )


def _environment(workload: Mapping[str, Any]) -> dict[str, str]:
    containers = unstructured.items(workload, "spec", "template", "spec", "containers")
    return {
        unstructured.text(entry, "name"): unstructured.text(entry, "value")
        for entry in unstructured.items(next(iter(containers), {}), "env")
        if "valueFrom" not in entry
    }


def _removed_secret_keys(fault: Fault, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for step in fault.inject:
        if step.patch is None or step.patch.kind != "Secret" or step.patch.how != "json":
            continue
        for change in step.patch.body:
            if change["op"] == "remove":
                yield str(fill(step.patch.name, values)), change["path"].rpartition("/")[2]


def _allowed_differences(fault: Fault, values: Mapping[str, Any]) -> Iterable[AllowedDifference]:
    for one in fault.oracle.may_differ:
        try:
            kind, name = fill(one.kind, values), fill(one.name, values)
        except FillError:
            continue  # about a service that this target does not call
        yield AllowedDifference(
            kind=str(values["kind"]) if kind == "Workload" else kind,
            name=name,
            path=one.path,
            min_factor=one.min_factor,
            max_factor=one.max_factor,
        )
