"""`kubectl reme policy explain`: decides about a report as the operator would, writes nothing."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from cyclopts import App, Parameter

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.parsing import parse_int
from reme_api.policy import RemediationPolicy, RemediationPolicySpec
from reme_api.remediation import Remediation
from reme_kube.errors import ForbiddenError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, DEPLOYMENTS, REMEDIATION_POLICIES
from reme_operator.admission.admit import AdmissionInput, TargetInfo, accept
from reme_operator.admission.budgets import OperatorLimits
from reme_operator.admission.cache import target_info
from reme_operator.admission.explain import Explanation, explain
from reme_operator.admission.policy_selection import NoPolicyChosen, select_policy
from reme_operator.admission.policy_validation import UnreadablePolicy, parse_policy
from reme_operator.admission.remediation_index import RemediationInfo, remediation_info
from reme_operator.cli.cluster import ClusterOptions
from reme_operator.cli.errors import CliError, ExitCode, is_missing_api
from reme_operator.cli.explanation_text import explanation_lines
from reme_operator.cli.terminal import Output
from reme_operator.errors import TargetVanishedError, one_line
from reme_operator.kill_switch.state import DEFAULT_NAME, parse_kill_switch
from reme_operator.names import PART_OF_LABEL
from reme_operator.snapshot.collect import collect_snapshot

_NO_LIMITS = OperatorLimits(max_concurrent=sys.maxsize, max_per_hour=sys.maxsize)
_OPERATOR_LABELS = {PART_OF_LABEL: "reme", "app.kubernetes.io/component": "operator"}
_DEFAULTS = ClusterOptions()

app = App(name="policy", help="Explain policies.", default_parameter=Parameter(show_default=False))


@app.command(name="explain")
def explain_command(
    report: Annotated[str, Parameter(help="Name of a DiagnosisReport.")],
    /,
    *,
    policy: Path | None = None,
    release_namespace: Annotated[str, Parameter(show_default=True)] = "reme-system",
    kill_switch: str = "",
    json: Annotated[bool, Parameter(negative=())] = False,
    options: ClusterOptions = _DEFAULTS,
) -> int:
    """Explain whether a report would be accepted now, and which actions would be allowed.

    Args:
        policy: File with policies that take the place of those with their names in the cluster.
        release_namespace: Namespace where reme is installed.
        kill_switch: Name of the ConfigMap of the kill switch; by default as the operator has it.
        json: Print JSON.

    """
    with options.connect() as cluster:
        explanation = cluster.run(
            explain_report(
                cluster.api,
                cluster.namespace,
                report,
                file_policies=read_policies(policy, cluster.namespace) if policy else (),
                release_namespace=release_namespace,
                kill_switch=kill_switch,
            )
        )
    if json:
        print(explanation.model_dump_json(indent=2))
    else:
        Output(options.color).lines(explanation_lines(explanation))
    return ExitCode.DONE if explanation.accepted else ExitCode.NEGATIVE


@dataclass(frozen=True, slots=True)
class OperatorSetup:
    """Settings of the installed operator that decide about reports."""

    kill_switch: str = DEFAULT_NAME
    paused: bool = False
    limits: OperatorLimits = _NO_LIMITS
    watch_namespaces: tuple[str, ...] = ()


async def explain_report(
    cluster: Cluster,
    namespace: str,
    name: str,
    *,
    file_policies: Sequence[RemediationPolicy] = (),
    release_namespace: str = "reme-system",
    kill_switch: str = "",
) -> Explanation:
    """Return the explanation for one report; `file_policies` replace those with their names.

    Raises:
        CliError: the report does not exist.
        ClusterError: the API server did not answer, or refused.

    """
    try:
        report = await cluster.get_object(DiagnosisReport, namespace, name)
    except NotFoundError as error:
        if is_missing_api(error):
            raise
        raise CliError(f"DiagnosisReport {name} not found in namespace {namespace}") from None
    now, notes = datetime.now(UTC), ["report storms are not taken into account"]
    setup = await _setup(cluster, release_namespace, kill_switch, notes)
    target = await _target(cluster, report)
    policies, unreadable = await _policies(
        cluster, (namespace, release_namespace), file_policies, notes
    )
    remediations = await _remediations(cluster, namespace, now, notes)
    notes += [
        f"the report has a remediation already, {r.name} ({r.outcome or 'in progress'});"
        " it is explained as if it were new"
        for r in remediations
        if r.report_uid == report.metadata.uid
    ]
    new_status = report.status.model_copy(update={"remediations": []})
    admission = AdmissionInput(
        report=report.model_copy(update={"status": new_status}),
        target=target,
        policies=policies,
        remediations=[r for r in remediations if r.report_uid != report.metadata.uid],
        release_namespace=release_namespace,
        paused=setup.paused,
        stopped_by=await _kill_switch_text(cluster, release_namespace, setup.kill_switch, notes),
        unreadable=unreadable,
        limits=setup.limits,
        workloads=len(await cluster.workloads(namespace)),
        services=() if report.spec.probes else await cluster.services(namespace),
    )
    snapshot = None
    if target is not None:
        policy = select_policy(report, target.labels, policies, release_namespace, unreadable)
        if isinstance(policy, NoPolicyChosen):
            policy = _empty_policy(release_namespace)
        remediation = accept(admission, policy, "explained", now).remediation
        with suppress(TargetVanishedError):
            snapshot = await collect_snapshot(cluster, remediation, report.spec, now)
    explanation = explain(admission, snapshot, now, notes)
    if setup.watch_namespaces and namespace not in setup.watch_namespaces:
        watched = ", ".join(setup.watch_namespaces)
        update = {
            "accepted": False,
            "reason": "NamespaceNotWatched",
            "message": f"the operator watches only these namespaces: {watched}",
        }
        return explanation.model_copy(update=update)
    return explanation


def read_policies(path: Path, namespace: str) -> list[RemediationPolicy]:
    """Return the policies of a file; those without a namespace get the given one.

    Raises:
        CliError: the file cannot be read, has no policy, or one that is invalid.

    """
    try:
        documents = [d for d in yaml.safe_load_all(path.read_text()) if d]
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        # A date such as 2026-02-30 is a ValueError.
        raise CliError(f"{path}: {one_line(error)}") from error
    policies: list[RemediationPolicy] = []
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != RemediationPolicy.KIND:
            continue
        meta = document.get("metadata") or {}
        meta = {"namespace": namespace, "uid": f"file {len(policies)}"} | meta
        policy = parse_policy({**document, "metadata": meta})
        if isinstance(policy, UnreadablePolicy):
            raise CliError(f"{path}: RemediationPolicy {policy.name}: {policy.problem}")
        policies.append(policy)
    if not policies:
        raise CliError(f"{path}: no RemediationPolicy in this file")
    return policies


def _empty_policy(namespace: str) -> RemediationPolicy:
    metadata = ObjectMeta(name="none", namespace=namespace)
    return RemediationPolicy(metadata=metadata, spec=RemediationPolicySpec())


async def _setup(
    cluster: Cluster, release_namespace: str, kill_switch: str, notes: list[str]
) -> OperatorSetup:
    """Return the settings of the operator, read from its Deployment."""
    try:
        deployments = await cluster.list_resource(DEPLOYMENTS, release_namespace, _OPERATOR_LABELS)
        problem = f"no operator found in namespace {release_namespace}"
    except ForbiddenError:
        deployments = []
        problem = f"the operator's Deployment in namespace {release_namespace} cannot be read"
    if not deployments:
        name = kill_switch or DEFAULT_NAME
        notes.append(
            f"{problem}: its limits are not taken into account, and the kill switch is looked for"
            f" in ConfigMap {name} (--release-namespace, --kill-switch)"
        )
        return OperatorSetup(kill_switch=name)
    env = _environment(deployments[0])
    defaults = OperatorLimits()
    return OperatorSetup(
        kill_switch=kill_switch or env.get("REME_KILL_SWITCH_NAME") or DEFAULT_NAME,
        paused=env.get("REME_PAUSED", "").lower() == "true",
        limits=OperatorLimits(
            _number(env.get("REME_MAX_CONCURRENT", ""), defaults.max_concurrent),
            _number(env.get("REME_MAX_PER_HOUR", ""), defaults.max_per_hour),
        ),
        watch_namespaces=tuple(
            part.strip() for part in env.get("REME_WATCH_NAMESPACES", "").split(",") if part.strip()
        ),
    )


def _number(text: str, default: int) -> int:
    number = parse_int(text)
    return default if number is None else number


def _environment(deployment: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the container `operator`; of the same name the last one counts."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    container = next((c for c in containers if c.get("name") == "operator"), containers[0])
    return {v["name"]: str(v.get("value") or "") for v in container.get("env") or ()}


async def _target(cluster: Cluster, report: DiagnosisReport) -> TargetInfo | None:
    target = report.spec.target
    try:
        workload = await cluster.workload(target.kind, report.metadata.namespace, target.name)
    except NotFoundError:
        return None
    return target_info(workload)


async def _policies(
    cluster: Cluster,
    namespaces: Sequence[str],
    file_policies: Sequence[RemediationPolicy],
    notes: list[str],
) -> tuple[list[RemediationPolicy], list[UnreadablePolicy]]:
    items: list[dict[str, Any]] = []
    for namespace in dict.fromkeys(namespaces):
        try:
            items += await cluster.list_resource(REMEDIATION_POLICIES, namespace)
        except ForbiddenError:
            notes.append(f"you may not read the policies of namespace {namespace}")
    replaced = {(p.metadata.namespace, p.metadata.name) for p in file_policies}
    policies, unreadable = list(file_policies), []
    for policy in map(parse_policy, items):
        if isinstance(policy, UnreadablePolicy):
            if (policy.namespace, policy.name) not in replaced:
                unreadable.append(policy)
        elif (policy.metadata.namespace, policy.metadata.name) not in replaced:
            policies.append(policy)
    return policies, unreadable


async def _remediations(
    cluster: Cluster, namespace: str, now: datetime, notes: list[str]
) -> list[RemediationInfo]:
    try:
        remediations = await cluster.list_objects(Remediation)
    except ForbiddenError:
        notes.append(
            "you may not read remediations of other namespaces: budgets count this one only"
        )
        remediations = await cluster.list_objects(Remediation, namespace)
    return [remediation_info(remediation, now) for remediation in remediations]


async def _kill_switch_text(
    cluster: Cluster, release_namespace: str, name: str, notes: list[str]
) -> str:
    try:
        config_map = await cluster.get(CONFIG_MAPS, release_namespace, name)
    except NotFoundError:
        return ""
    except ForbiddenError:
        notes.append(
            f"you may not read ConfigMap {release_namespace}/{name}:"
            " whether the kill switch is on is unknown"
        )
        return ""
    return parse_kill_switch(config_map).text()
