"""What docs/reference/policy.md says of profiles and fields is what the code does."""

from pathlib import Path

from reme_api.actions import ActionName
from reme_api.policy import ActionRule, RemediationPolicySpec
from reme_api.profiles import Profile
from reme_playbook.actions.registry import PUBLIC

PAGE = Path(__file__).parents[3] / "docs/reference/policy.md"
STEPS = (ActionName.SCALE, ActionName.SET_RESOURCES, ActionName.SET_AUTOSCALING)

FIELDS = {
    ActionName.SCALE: "`replicas`",
    ActionName.SET_RESOURCES: "`cpuLimit`, `memoryLimit`, `cpuRequest`, `memoryRequest`",
    ActionName.SET_IMAGE: "`image`",
    ActionName.SET_ENV: "the name of the variable",
    ActionName.SET_CONFIG_VALUE: "the key",
    ActionName.PATCH_PROBE: "probe and field, such as `readiness.path` or `startup.port`",
    ActionName.PATCH_SERVICE_SELECTOR: "the keys of the labels",
    ActionName.PATCH_SERVICE_PORT: "the port",
    ActionName.SET_UPDATE_STRATEGY: "`maxSurge`, `maxUnavailable`",
    ActionName.PATCH_NODE_SELECTOR: "the keys of the labels",
    ActionName.SET_COMMAND: "`command`, `args`",
    ActionName.SET_AUTOSCALING: "`minReplicas`, `maxReplicas`",
    ActionName.SET_QUOTA: "the key, such as `requests.cpu`",
    ActionName.SET_DISRUPTION_BUDGET: "`minAvailable`, `maxUnavailable`",
    ActionName.SET_INGRESS_BACKEND: "host and path, such as `shop.example/cart`",
    ActionName.ALLOW_INGRESS: "the port",
    ActionName.ALLOW_EGRESS: "the port, or `dns`",
    ActionName.REMOVE_TAINT: "the key of the taint",
}


def profile_rows() -> list[str]:
    """Return the table of the profiles."""
    specs = [RemediationPolicySpec(), *(RemediationPolicySpec(profile=p) for p in Profile)]
    rows: dict[str, list[str]] = {
        "actions": [str(len(s.actions)) for s in specs],
        **{name: [_growth(s, name) for s in specs] for name in STEPS},
        "maxDisruption": [s.max_disruption for s in specs],
        "maxAttempts": [str(s.max_attempts) for s in specs],
        "budgets.maxConcurrent": [str(s.budgets.max_concurrent) for s in specs],
        "budgets.maxPerHour": [str(s.budgets.max_per_hour) for s in specs],
        "budgets.cooldownSeconds": [str(s.budgets.cooldown_seconds) for s in specs],
        "budgets.maxCooldownSeconds": [str(s.budgets.max_cooldown_seconds) for s in specs],
        "budgets.maxWorkloadsPercent": [str(s.budgets.max_workloads_percent) for s in specs],
        "evidence.minConfidencePercent": [str(s.evidence.min_confidence_percent) for s in specs],
        "evidence.requireProbeFailure": [
            str(s.evidence.require_probe_failure).lower() for s in specs
        ],
        "evidence.minPersistenceSeconds": [str(s.evidence.min_persistence_seconds) for s in specs],
    }
    return [f"| `{name}` | {' | '.join(cells)} |" for name, cells in rows.items()]


def _growth(spec: RemediationPolicySpec, name: ActionName) -> str:
    action_rule = next((rule for rule in spec.actions if rule.name is name), None)
    return _bounds(action_rule) if action_rule else "no"


def _bounds(rule: ActionRule) -> str:
    down = f", -{rule.max_decrease_percent} %" if rule.max_decrease_percent else ""
    most = "" if rule.name is ActionName.SET_RESOURCES else f", at most {rule.max_replicas}"
    return f"+{rule.max_increase_percent} %{down}{most}"


def field_rows() -> list[str]:
    """Return the table of the fields."""
    return [f"| `{name}` | {item} |" for name, item in FIELDS.items()]


def test_the_table_of_the_profiles_is_what_they_are() -> None:
    page = PAGE.read_text()
    assert [row for row in profile_rows() if row not in page] == []


def test_every_action_with_fields_is_in_the_table() -> None:
    page = PAGE.read_text()
    assert [row for row in field_rows() if row not in page] == []
    with_fields = {name for name, action in PUBLIC.items() if action.has_field_names()}
    assert set(FIELDS) == with_fields


def test_the_examples_of_fields_are_names_that_the_code_gives() -> None:
    names = {f for action in PUBLIC.values() for f in action.example().field_names()}
    assert {"readiness.path", "memoryLimit", "shop.example/cart", "replicas", "image"} <= names
