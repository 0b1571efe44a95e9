"""From a stored playbook to everything that the objects of its run are made from."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from reme_api.approval import Plan
from reme_api.base import ArtifactReference
from reme_api.remediation import Run
from reme_kube.protocols import Cluster
from reme_kube.resources import Json
from reme_operator.steps.context import StepContext
from reme_playbook.actions.registry import Action
from reme_playbook.actions.rollback import Rollback
from reme_playbook.compiler.playbook import compile_playbook
from reme_playbook.execution.manifests import RunRequest, run_name
from reme_playbook.execution.pod import PodOptions
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.revisions import RevisionNotFoundError, own_revisions, select_revision

_MIN_ROLLBACK_SECONDS = 10


async def build_run_request(
    context: StepContext,
    playbook: ArtifactReference,
    created: datetime,
    attempt: int,
    *,
    rollback: bool = False,
) -> RunRequest:
    """Return everything that the objects of a run follow from.

    Raises:
        PlaybookError: the stored playbook does not compile.
        ClusterError: the playbook, or a target, cannot be read.

    """
    remediation, settings = context.remediation, context.deps.settings
    policy = context.observed.policy
    text = await context.deps.cluster.read_artifact(context.namespace, playbook)
    limits = policy.sandbox
    if rollback:
        seconds = max(_MIN_ROLLBACK_SECONDS, policy.rollback.timeout_seconds)
        limits = limits.model_copy(update={"deadline_seconds": seconds})
    actions = compile_playbook(text, for_rollback=rollback)
    return RunRequest(
        remediation_uid=remediation.metadata.uid,
        remediation_name=remediation.metadata.name,
        target_namespace=context.namespace,
        attempt=attempt,
        actions=actions,
        templates=await _templates(context.deps.cluster, actions),
        created=created,
        release_namespace=settings.release_namespace,
        image=settings.sandbox_image,
        sandbox=limits,
        is_rollback=rollback,
        role_kind=settings.run_role_kind,
        role_prefix=settings.run_role_prefix,
        pod=PodOptions(
            image_pull_policy=settings.sandbox_image_pull_policy,
            image_pull_secrets=settings.sandbox_image_pull_secrets,
        ),
    )


async def _templates(cluster: Cluster, actions: Sequence[Action]) -> dict[ObjectRef, Json]:
    """Return the pod templates of the revisions; the run admission policy admits no other."""
    templates: dict[ObjectRef, Json] = {}
    for target, number in ((a.target, a.revision) for a in actions if isinstance(a, Rollback)):
        workload = await cluster.workload(target.kind, target.namespace, target.name)
        known = own_revisions(workload, target.kind, await cluster.revisions(workload))
        # Without its template the run is refused, and says so.
        with contextlib.suppress(RevisionNotFoundError):
            templates[target] = dict(select_revision(workload, known, number).template)
    return templates


def new_run(context: StepContext, attempt: int, *, rollback: bool = False) -> Run:
    """Return the record of a run that does not exist yet."""
    return Run(
        name=run_name(context.remediation.metadata.uid, attempt, is_rollback=rollback),
        namespace=context.deps.settings.release_namespace,
        created_time=_to_milliseconds(context.now()),
    )


def new_plan(context: StepContext) -> Plan:
    """Return the record of a dry run that was not made yet, under the name of the run."""
    return Plan(
        name=run_name(context.remediation.metadata.uid, context.attempt.number),
        namespace=context.deps.settings.release_namespace,
        created_time=_to_milliseconds(context.now()),
    )


def _to_milliseconds(now: datetime) -> datetime:
    # As the status stores it: the grant is derived from this time.
    return now - timedelta(microseconds=now.microsecond % 1000)
