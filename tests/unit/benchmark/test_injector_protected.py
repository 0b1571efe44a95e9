"""Nothing that reme does may ever touch what injects the faults."""

from reme_benchmark.injection.agent_manifest import manifest
from reme_operator.names import PROTECTED_LABEL
from reme_playbook.policy.validation import is_protected


def test_all_of_the_injector_is_protected() -> None:
    """The namespace for the API server, the rest for admission and gate."""
    for image in ("", "localhost/other:1"):
        namespace, daemon_set = manifest(image)
        template = daemon_set["spec"]["template"]
        for manifest_object in (namespace, daemon_set, template):
            assert is_protected(manifest_object), manifest_object
            assert manifest_object["metadata"]["labels"][PROTECTED_LABEL] == "true"
