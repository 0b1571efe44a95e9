"""The cluster that a command works on, reached with the person's own kubeconfig and permissions."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Self, TypeVar

from cyclopts import Group, Parameter
from pydantic import ValidationError

from reme_api.base import ArtifactReference
from reme_api.remediation import Attempt, Change, Remediation
from reme_api.validation import first_error
from reme_kube.cluster import ApiCluster
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import Context, load_context
from reme_kube.resources import CONFIG_MAPS, REMEDIATIONS
from reme_operator.cli.errors import CliError, describe
from reme_operator.cli.terminal import ColorMode, escape

T = TypeVar("T")

OPTIONS_GROUP = "Cluster and output"
_WHO_AM_I = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@Parameter(name="*", group=Group(OPTIONS_GROUP, sort_key=10))
@dataclass(frozen=True)
class ClusterOptions:
    """Options of every command, with the names that kubectl gives them."""

    namespace: Annotated[str, Parameter(alias="-n")] = ""
    """Namespace; by default that of the context."""
    context: str = ""
    """Context of the kubeconfig; by default the current one."""
    kubeconfig: str = ""
    """Path of the kubeconfig, or several separated by `:`; by default `$KUBECONFIG`."""
    as_user: Annotated[str, Parameter(name="--as")] = ""
    """User to impersonate."""
    as_group: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """Group to impersonate; may be repeated."""
    color: ColorMode = "auto"
    """Use of colors; `auto` uses them on a terminal, unless `NO_COLOR` is set."""

    def connect(self) -> "CliCluster":
        """Return the cluster, after a login plugin has run, if the context has one.

        Raises:
            CliError: there are no usable credentials.

        """
        if self.as_group and not self.as_user:
            raise CliError("--as-group needs --as: groups are impersonated together with a user")
        try:
            context = load_context(
                self.kubeconfig, self.context, username=self.as_user, groups=self.as_group
            )
        except ClusterError as error:
            raise CliError(str(error)) from error
        return CliCluster(context, self.namespace or context.namespace)


class CliCluster:
    """One API server, for a program that does one thing after the other; to be used as a context.

    Every method raises CliError.
    """

    def __init__(self, context: Context, namespace: str) -> None:
        self.namespace = namespace
        self._server = context.credentials.server
        self._runner = asyncio.Runner()
        self._api = ApiClient(context.credentials, timeout_seconds=20, attempts=2)
        self._cluster = ApiCluster(self._api)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self._api.aclose())
        self._runner.close()

    @property
    def api(self) -> ApiCluster:
        """The same cluster for asynchronous code; see `run`."""
        return self._cluster

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of the coroutine."""
        try:
            return self._runner.run(work)
        except ClusterError as error:
            raise CliError(describe(error, self._server)) from error

    def username(self) -> str:
        """Return the name by which the API server knows the person."""
        review = self.run(
            self._api.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", dict(_WHO_AM_I))
        )
        try:
            return str(review["status"]["userInfo"]["username"])
        except (KeyError, TypeError):
            raise CliError("the API server did not say who you are") from None

    def remediation(self, name: str) -> Remediation:
        """Return a remediation of the namespace."""
        item = self.run(self._cluster.get(REMEDIATIONS, self.namespace, name))
        return _parse(item)

    def remediations(self, *, all_namespaces: bool) -> tuple[list[Remediation], list[str]]:
        """Return the remediations, newest first, and why others could not be read."""
        namespace = None if all_namespaces else self.namespace
        remediations, problems = [], []
        for item in self.run(self._cluster.list_resource(REMEDIATIONS, namespace)):
            try:
                remediations.append(_parse(item))
            except CliError as error:
                problems.append(str(error))
        remediations.sort(key=lambda r: str(r.metadata.creation_timestamp), reverse=True)
        return remediations, problems

    def artifact(self, namespace: str, reference: ArtifactReference) -> str | None:
        """Return a text that was stored for a remediation; None when it is gone."""

        async def read() -> dict[str, Any]:
            try:
                return await self._cluster.get(CONFIG_MAPS, namespace, reference.name)
            except NotFoundError:
                return {}

        text = (self.run(read()).get("data") or {}).get(reference.key)
        return None if text is None else str(text)

    def changes(self, remediation: Remediation, attempt: Attempt) -> Sequence[Change]:
        """Return all changes of an attempt in full length, else those that the record has."""
        reference = attempt.plan.full_changes if attempt.plan else None
        if reference is None:
            return attempt.changes
        text = self.artifact(remediation.metadata.namespace, reference)
        try:
            return [_change(item) for item in json.loads(text or "")]
        except (ValueError, TypeError, KeyError):
            return attempt.changes

    def patch(self, name: str, spec: dict[str, Any]) -> None:
        """Change fields of a remediation's spec; None deletes one."""
        path = REMEDIATIONS.path(self.namespace, name)
        self.run(self._api.patch(path, {"spec": spec}))


def _parse(item: dict[str, Any]) -> Remediation:
    try:
        return Remediation.model_validate(item)
    except ValidationError as error:
        name = escape(str((item.get("metadata") or {}).get("name", "?")))
        raise CliError(
            f"remediation {name} does not fit this version of reme: {first_error(error)}"
        ) from None


def _change(item: dict[str, str]) -> Change:
    return Change.model_construct(
        kind=item["kind"],
        object_name=item["object_name"],
        field=item["field"],
        before=item.get("before", ""),
        after=item.get("after", ""),
    )
