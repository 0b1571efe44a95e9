"""An Ansible module: rolls a workload back to the pod template of an earlier revision."""

import time

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from reme_api.content_types import JSON_PATCH
from reme_playbook.snapshot.revisions import (
    REVISION_RESOURCES,
    RevisionNotFoundError,
    own_revisions,
    select_revision,
    template_patch,
)
from reme_runner.api_client import ApiResponse, ApiServer
from reme_runner.pod_replacement import PodReplacementError, replace_stuck_pods

DOCUMENTATION = """
module: reme_rollback
short_description: rolls a workload back to the pod template of an earlier revision
description:
  - Finds the revisions of a Deployment, StatefulSet or DaemonSet by owner, and replaces the pod
    template as a whole. Nothing else of the object is touched, its annotations neither.
  - Without a revision it takes the newest one whose pods really differ, so that a restart, which
    makes a revision of its own, is not mistaken for an earlier one.
  - Then it deletes those of the stuck pods of a StatefulSet that are still of the stuck revision
    and not ready, because the controller does not replace them.
options:
  api_version: {type: str, default: apps/v1, choices: [apps/v1]}
  kind: {type: str, required: true, choices: [Deployment, StatefulSet, DaemonSet]}
  name: {type: str, required: true}
  namespace: {type: str, required: true}
  revision: {type: int}
  stuck_revision: {type: str}
  stuck_pods: {type: list, elements: str, default: []}
author: reme
"""

_TRIES = 5
_CONFLICTS = (409, 422)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "api_version": {"type": "str", "default": "apps/v1", "choices": ["apps/v1"]},
            "kind": {"type": "str", "required": True, "choices": list(REVISION_RESOURCES)},
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "revision": {"type": "int"},
            "stuck_revision": {"type": "str"},
            "stuck_pods": {"type": "list", "elements": "str", "default": []},
        }
    )
    server = ApiServer.from_environment()
    kind, name = module.params["kind"], module.params["name"]
    base = f"/apis/apps/v1/namespaces/{module.params['namespace']}"
    path = f"{base}/{kind.lower()}s/{name}"

    def checked(response: ApiResponse) -> ApiResponse:
        if response.status not in (200, *_CONFLICTS):
            module.fail_json(msg=response.message or f"the API server returned {response.status}")
        return response

    for _ in range(_TRIES):
        workload = checked(server.request("GET", path)).body
        history = checked(server.request("GET", f"{base}/{REVISION_RESOURCES[kind]}")).body
        known = own_revisions(workload, kind, history.get("items") or [])
        try:
            revision = select_revision(workload, known, module.params["revision"])
        except RevisionNotFoundError as error:
            module.fail_json(msg=str(error))
        response = server.request("PATCH", path, template_patch(workload, revision), JSON_PATCH)
        if checked(response).status == 200:
            before = workload["metadata"]["generation"]
            changed = response.body["metadata"]["generation"] != before
            deleted = _replace_pods(module, server, path)
            module.exit_json(
                changed=changed or bool(deleted), revision=revision.number, deleted=deleted
            )
        # Controllers write the object too: it has changed since it was read.
        time.sleep(0.1)
    module.fail_json(msg=f"the object changed during each of the attempts: {response.message}")


def _replace_pods(module: AnsibleModule, server: ApiServer, stateful_set: str) -> list[str]:
    names = module.params["stuck_pods"]
    if not names:
        return []
    namespace = f"/api/v1/namespaces/{module.params['namespace']}"
    pods = [f"{namespace}/pods/{name}" for name in names]
    try:
        return replace_stuck_pods(server, stateful_set, pods, module.params["stuck_revision"])
    except PodReplacementError as error:
        module.fail_json(msg=f"the template was rolled back, and a stuck pod was left: {error}")
        raise


if __name__ == "__main__":
    main()
