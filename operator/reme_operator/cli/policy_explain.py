"""`reme policy explain REPORT`: reads the cluster with the user's kubeconfig; writes nothing."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any

import yaml

from reme_api.base import ObjectMeta
from reme_api.diagnosis_report import DiagnosisReport
from reme_api.policy import RemediationPolicy, RemediationPolicySpec
from reme_api.remediation import Remediation
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError, ForbiddenError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS, REMEDIATION_POLICIES
from reme_operator.admission.admit import AdmissionInput, TargetInfo, new_remediation
from reme_operator.admission.budgets import OperatorLimits
from reme_operator.admission.cache import target_info
from reme_operator.admission.explain import Explanation, explain
from reme_operator.admission.policy_parsing import parse_policy
from reme_operator.admission.policy_selection import NoPolicyChosen, UnreadablePolicy, choose
from reme_operator.admission.remediation_index import RemediationInfo, entry
from reme_operator.cli.explanation_text import text
from reme_operator.errors import TargetVanishedError, one_line
from reme_operator.kill_switch.state import parse_kill_switch
from reme_operator.snapshot.collect import collect_snapshot

_NO_LIMITS = OperatorLimits(max_concurrent=sys.maxsize, max_per_hour=sys.maxsize)


class ExplainError(Exception):
    """What was asked for cannot be explained; the message is for people."""


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    whole = argparse.ArgumentParser(prog="reme policy", description="Policies, explained.")
    commands = whole.add_subparsers(dest="command", required=True)
    one = commands.add_parser("explain", help="say what would be allowed for a report, and why")
    one.add_argument("report", help="name of a DiagnosisReport")
    one.add_argument("-n", "--namespace", default="", help="its namespace; the context's if absent")
    one.add_argument(
        "--policy", type=Path, help="a file with policies, as if they were in the cluster"
    )
    one.add_argument("--release-namespace", default="reme-system", help="where reme is installed")
    one.add_argument("--json", action="store_true", help="as JSON")
    return whole


def main(words: Sequence[str]) -> int:
    """Do what the words say; return 0 when the report would be accepted, 1 when not, 2 on error."""
    chosen = parser().parse_args(words)
    try:
        found = asyncio.run(_explained(chosen))
    except (ClusterError, ExplainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(found.model_dump_json(indent=2) if chosen.json else text(found))
    return 0 if found.accepted else 1


async def _explained(chosen: argparse.Namespace) -> Explanation:
    namespace = chosen.namespace or context_namespace()
    async with ApiClient(find_credentials()) as api:
        return await explained(
            ApiCluster(api),
            namespace,
            chosen.report,
            given=_from_file(chosen.policy, namespace) if chosen.policy else (),
            release_namespace=chosen.release_namespace,
        )


async def explained(
    cluster: Cluster,
    namespace: str,
    name: str,
    *,
    given: Sequence[RemediationPolicy] = (),
    release_namespace: str = "reme-system",
) -> Explanation:
    """Return the explanation for one report; `given` policies stand in for those of their name.

    Raises:
        ExplainError: there is no such report.
        ClusterError: the API server could not be asked.

    """
    try:
        report = await cluster.get_object(DiagnosisReport, namespace, name)
    except NotFoundError:
        raise ExplainError(f"there is no DiagnosisReport {name} in namespace {namespace}") from None
    now, notes = datetime.now(UTC), ["the operator's own budgets and storms are not looked at"]
    target = await _target(cluster, report)
    policies, unreadable = await _policies(cluster, (namespace, release_namespace), given, notes)
    entries = await _entries(cluster, namespace, now, notes)
    notes += [
        f"it has led to {e.name} already ({e.outcome or 'under way'}); this is as if it were new"
        for e in entries
        if e.report_uid == report.metadata.uid
    ]
    unseen = report.status.model_copy(update={"remediations": []})
    case = AdmissionInput(
        report=report.model_copy(update={"status": unseen}),
        target=target,
        policies=policies,
        entries=_others(entries, report),
        release_namespace=release_namespace,
        stopped=await _stopped(cluster, release_namespace, notes),
        unreadable=unreadable,
        limits=_NO_LIMITS,
        workloads=len(await cluster.workloads(namespace)),
    )
    live = None
    if target is not None:
        policy = choose(report, target.labels, policies, release_namespace, unreadable)
        used = _bare(release_namespace) if isinstance(policy, NoPolicyChosen) else policy
        with suppress(TargetVanishedError):
            live = await collect_snapshot(
                cluster, new_remediation(report, used, "explained", ()), report.spec, now
            )
    return explain(case, live, now, notes)


def _others(entries: Sequence[RemediationInfo], report: DiagnosisReport) -> list[RemediationInfo]:
    """Leave out what this report has led to: the question is what would be, were it new."""
    return [e for e in entries if e.report_uid != report.metadata.uid]


def _bare(namespace: str) -> RemediationPolicy:
    metadata = ObjectMeta(name="none", namespace=namespace)
    return RemediationPolicy(metadata=metadata, spec=RemediationPolicySpec())


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
    given: Sequence[RemediationPolicy],
    notes: list[str],
) -> tuple[list[RemediationPolicy], list[UnreadablePolicy]]:
    items: list[dict[str, Any]] = []
    for where in dict.fromkeys(namespaces):
        try:
            items += await cluster.find(REMEDIATION_POLICIES, where)
        except ForbiddenError:
            notes.append(f"the policies of namespace {where} may not be read")
    read = [parse_policy(item) for item in items]
    replaced = {(p.metadata.namespace, p.metadata.name) for p in given}
    kept = [
        p
        for p in read
        if isinstance(p, RemediationPolicy)
        and (p.metadata.namespace, p.metadata.name) not in replaced
    ]
    broken = [
        p for p in read if isinstance(p, UnreadablePolicy) and (p.namespace, p.name) not in replaced
    ]
    return [*kept, *given], broken


async def _entries(
    cluster: Cluster, namespace: str, now: datetime, notes: list[str]
) -> list[RemediationInfo]:
    try:
        found = await cluster.list_objects(Remediation)
    except ForbiddenError:
        notes.append("remediations of other namespaces may not be read, so are not counted")
        found = await cluster.list_objects(Remediation, namespace)
    return [entry(remediation, now) for remediation in found]


async def _stopped(cluster: Cluster, release_namespace: str, notes: list[str]) -> str:
    try:
        found = await cluster.get(CONFIG_MAPS, release_namespace, "reme-stop")
    except NotFoundError:
        return ""
    except ForbiddenError as error:
        notes.append(f"whether the kill switch is on may not be read: {one_line(error)}")
        return ""
    return parse_kill_switch(found).text()


def _from_file(path: Path, namespace: str) -> list[RemediationPolicy]:
    try:
        documents = [d for d in yaml.safe_load_all(path.read_text()) if d]
    except (OSError, yaml.YAMLError) as error:
        raise ExplainError(f"{path}: {one_line(error)}") from error
    found: list[RemediationPolicy] = []
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != RemediationPolicy.KIND:
            continue
        meta = {"namespace": namespace, "uid": f"file {len(found)}"} | document.get("metadata", {})
        policy = parse_policy({**document, "metadata": meta})
        if isinstance(policy, UnreadablePolicy):
            raise ExplainError(f"{path}: {policy.name}: {policy.problem}")
        found.append(policy)
    if not found:
        raise ExplainError(f"{path}: there is no RemediationPolicy in it")
    return found


def context_namespace() -> str:
    """Return the namespace of the kubeconfig's current context, else `default`."""
    path = Path(environ.get("KUBECONFIG") or "~/.kube/config").expanduser()
    with suppress(OSError, yaml.YAMLError, KeyError, TypeError, StopIteration):
        config = yaml.safe_load(path.read_text())
        name = config["current-context"]
        context = next(c["context"] for c in config["contexts"] if c["name"] == name)
        return str(context.get("namespace") or "default")
    return "default"
