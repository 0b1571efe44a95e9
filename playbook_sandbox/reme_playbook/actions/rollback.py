"""Rollback: gives a workload the pod template of an earlier revision."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_api.run_grant import GrantRule, Verb
from reme_playbook.actions.api_request import ApiRequest
from reme_playbook.actions.base import (
    Conflict,
    Draft,
    Restoration,
    Shorten,
    Template,
    WorkloadAction,
)
from reme_playbook.actions.escalation import escalated_privilege
from reme_playbook.actions.modules import K8S_ROLLBACK, REME_ROLLBACK, Task
from reme_playbook.actions.string_types import StrictName
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import unstructured
from reme_playbook.snapshot.field_path import TEMPLATE, FieldValue, Path, Write, dotted
from reme_playbook.snapshot.object_diff import Difference
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.pod_template import SERVER_LABELS, differences, digest
from reme_playbook.snapshot.revisions import (
    RevisionNotFoundError,
    own_revisions,
    select_revision,
    template_patch,
)
from reme_playbook.snapshot.snapshot import ClusterSnapshot, Revision
from reme_playbook.snapshot.stuck_pods import (
    MAX_STUCK_PODS,
    REVISION_LABEL,
    ordinal_of,
    stuck_pods,
)


class Rollback(WorkloadAction):
    """Gives a workload the pod template of an earlier revision back."""

    NAME = ActionName.ROLLBACK
    NEEDS_HISTORY = True
    BOUNDS = (
        "a revision whose pods really differ, with no more privilege than now; of a StatefulSet, "
        "pods that are stuck at the present revision are deleted, so that they are replaced"
    )
    RESTORES = (
        "the template of before, if it is still the one that the run brought; of a StatefulSet, "
        "pods that are stuck at that one are deleted"
    )

    action: Literal["Rollback"] = "Rollback"
    revision: Annotated[int, Field(strict=True, ge=1, le=2**53)] | None = Field(
        default=None, description="The newest one that really differs when absent."
    )
    stuck_revision: StrictName | None = Field(
        default=None, description="The revision that the stuck pods are of, by name."
    )
    stuck_pods: Annotated[tuple[StrictName, ...], Field(max_length=MAX_STUCK_PODS)] = Field(
        default=(), description="Pods of the StatefulSet that are deleted after the patch."
    )

    @model_validator(mode="after")
    def _pods_fit(self) -> Self:
        if bool(self.stuck_pods) != bool(self.stuck_revision):
            raise ValueError("stuck_pods and stuck_revision belong together")
        if len(set(self.stuck_pods)) != len(self.stuck_pods):
            raise ValueError("stuck_pods must be distinct")
        if self.stuck_pods and (self.target.kind != "StatefulSet" or self.revision is None):
            raise ValueError("only a StatefulSet has stuck pods, and its revision must be given")
        if any(ordinal_of(self.target, pod) is None for pod in self.stuck_pods):
            raise ValueError("stuck_pods must be pods of the StatefulSet")
        return self

    def summary(self) -> str:
        which = "its previous revision" if self.revision is None else f"revision {self.revision}"
        pods = (
            f" and replace its stuck pods {', '.join(self.stuck_pods)}" if self.stuck_pods else ""
        )
        return f"Roll {self.target} back to {which}{pods}"[:1024]

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return ()

    def paths(self) -> tuple[Path, ...]:
        return (TEMPLATE,)

    def template_after(self, template: Template, snapshot: ClusterSnapshot) -> Template:
        """Return the template of the revision.

        Raises RejectedPlaybookError if there is none.
        """
        return self.revision_in(snapshot).template

    def deletes(self) -> frozenset[ObjectRef]:
        return frozenset(ObjectRef("Pod", self.target.namespace, name) for name in self.stuck_pods)

    def touches(self) -> tuple[tuple[ObjectRef, Path], ...]:
        return (*super().touches(), *((pod, ()) for pod in sorted(self.deletes())))

    def task(self, run_id: str = "now") -> Task:
        if self.revision is None:
            return {K8S_ROLLBACK: self.location()}
        parameters: dict[str, Any] = {**self.location(), "revision": self.revision}
        if self.stuck_pods:
            parameters["stuck_revision"] = self.stuck_revision
            parameters["stuck_pods"] = list(self.stuck_pods)
        return {REME_ROLLBACK: parameters}

    def requests(
        self, run_id: str, manifest: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
    ) -> list[ApiRequest]:
        """Return the replacement of the template, and the deletions of the stuck pods.

        Raises RejectedPlaybookError if the revision does not exist.
        """
        try:
            known = own_revisions(manifest, self.target.kind, history)
            revision = select_revision(manifest, known, self.revision)
        except RevisionNotFoundError as error:
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND, f"{self.target}: {error}"
            ) from None
        return [
            ApiRequest.json_patch(self.target, template_patch(manifest, revision)),
            *(ApiRequest.delete(pod) for pod in sorted(self.deletes())),
        ]

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        if self.revision is None:
            return "roll back", ""
        return "roll back to revision", str(self.revision)

    def check(self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot) -> None:
        """Reject a revision that is the present one, or has more privilege."""
        template = self.revision_in(snapshot).template
        if digest(template) == digest(snapshot.template):
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"{self.target} is already at this revision"
            )
        more = escalated_privilege(snapshot.template, template)
        if more:
            raise RejectedPlaybookError(RejectionRule.PRIVILEGE, f"the earlier revision has {more}")
        self._check_pods(snapshot)

    def _check_pods(self, snapshot: ClusterSnapshot) -> None:
        """Reject stuck pods of another revision than the present one.

        Whether they are ready is checked by the run before it deletes one, because a pod that
        crashes may be ready for moments.
        """
        revision = unstructured.text(snapshot.workload, "status", "updateRevision")
        if self.stuck_pods and self.stuck_revision != revision:
            raise RejectedPlaybookError(
                RejectionRule.NOT_FOUND,
                f"the stuck pods are of revision {self.stuck_revision}, and the present revision "
                f"of {self.target} is {revision or 'unknown'}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Return the rollback to the previous revision."""
        return ({"action": "Rollback"},)

    def revision_in(self, snapshot: ClusterSnapshot) -> Revision:
        """Return the revision that it rolls back to.

        Raises RejectedPlaybookError if there is none.
        """
        if self.target == snapshot.target:
            if self.revision is None:
                revision = snapshot.previous_revision
            else:
                numbered = (r for r in snapshot.revisions if r.number == self.revision)
                revision = next(numbered, None)
            if revision is not None:
                return revision
        which = "earlier revision" if self.revision is None else f"revision {self.revision}"
        raise RejectedPlaybookError(
            RejectionRule.NOT_FOUND, f"{self.target} has no {which} to roll back to"
        )

    def pinned(self, snapshot: ClusterSnapshot, deleted: AbstractSet[ObjectRef]) -> Self:
        """Return the action with the revision that it means now, and the pods that are stuck."""
        number = self.revision_in(snapshot).number
        revision, pods = stuck_pods(snapshot, deleted)
        fixed = {"revision": number, "stuck_revision": revision or None, "stuck_pods": pods}
        return self.model_copy(update=fixed)

    def roles(self) -> frozenset[str]:
        return super().roles() | {pod.plural for pod in self.deletes()}

    def grants(self, run_id: str, template: Template | None) -> list[GrantRule]:
        """Return the right to write the template of the revision, and to delete the stuck pods.

        A pod may only be deleted while it is of the revision that is left: its replacement has the
        same name.
        """
        values = {} if template is None else {dotted(TEMPLATE): comparable(template)}
        labels = {REVISION_LABEL: self.stuck_revision}
        return [
            self.grant(fields=self.granted(), values=values),
            *(
                self.grant(target=pod, verb=Verb.DELETE, match_labels=labels)
                for pod in sorted(self.deletes())
            ),
        ]

    def capture(
        self, snapshot: ClusterSnapshot
    ) -> tuple[tuple[FieldValue, ...], tuple[FieldValue, ...]]:
        revision = self.revision_in(snapshot)
        return (digest(snapshot.template),), (digest(revision.template),)

    def changes(self, snapshot: ClusterSnapshot) -> Iterator[Difference]:
        try:
            revision = self.revision_in(snapshot)
        except RejectedPlaybookError:
            return
        for path, before, after in differences(snapshot.template, revision.template):
            yield Difference.of(self.target, f"{dotted(TEMPLATE)}.{path}", before, after)
        for pod in sorted(self.deletes()):
            yield Difference.deletion(pod)

    def restore(
        self,
        before: Sequence[FieldValue],
        after: Sequence[FieldValue],
        snapshot: ClusterSnapshot,
    ) -> Restoration:
        """Return the rollback to the revision with the template of before, whatever its number.

        Only while the template is still the one that the run brought. If the revision of before
        does not exist any more, the template of before cannot be restored.
        """
        now, field = digest(snapshot.template), dotted(TEMPLATE)
        if (now,) == tuple(before) or self.target != snapshot.target:
            return Restoration()
        if (now,) != tuple(after):
            message = f"the pod template of {self.target} was changed by somebody else"
            return Restoration(conflicts=(Conflict(self.target, field, message),))
        numbers = [r.number for r in snapshot.revisions if (digest(r.template),) == tuple(before)]
        if not numbers:
            message = f"the revision that {self.target} had before does not exist any more"
            return Restoration(unrestorable=(Conflict(self.target, field, message),))
        earlier = Rollback(target=self.target, revision=max(numbers))
        return Restoration((earlier.pinned(snapshot, frozenset()),))


def comparable(template: Template) -> dict[str, Any]:
    """Return a pod template as the admission policy compares it, without the server's labels."""
    metadata = unstructured.mapping(template, "metadata")
    labels = unstructured.strings(metadata, "labels")
    return {
        "labels": {key: value for key, value in labels.items() if key not in SERVER_LABELS},
        "annotations": unstructured.strings(metadata, "annotations"),
        "spec": dict(unstructured.mapping(template, "spec")),
    }
