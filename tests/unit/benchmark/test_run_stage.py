"""How a system is put into the cluster."""

import json

from reme_benchmark.run.stage import as_applied
from reme_benchmark.systems import catalog
from reme_benchmark.systems.render import manifests
from reme_sandbox.live import LAST_APPLIED, last_applied


def test_what_is_deployed_says_what_was_asked_for() -> None:
    for body in manifests(catalog.load("simple-micro"), "shop", flavour="workload"):
        before = json.dumps(body)
        found = as_applied(body)
        assert last_applied(found) == body
        assert json.dumps(body) == before
        kept = body["metadata"].get("annotations", {})
        assert found["metadata"]["annotations"] == kept | {
            LAST_APPLIED: found["metadata"]["annotations"][LAST_APPLIED]
        }
