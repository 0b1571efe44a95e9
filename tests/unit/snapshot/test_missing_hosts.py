"""What is called a missing host, and may be replaced: nothing that was so while all was well."""

from dataclasses import replace

import pytest

from reme_api.actions import ActionName
from reme_model.prompt.sections.connections import variable_lines
from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.env import SetEnv
from reme_playbook.errors import RejectedPlaybookError
from reme_playbook.snapshot.dependency import Mention
from reme_playbook.snapshot.finding import Finding, FindingKind
from reme_playbook.snapshot.missing_hosts import repaired_values
from reme_playbook.snapshot.object_ref import ObjectRef
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from tests.unit.playbook.builders import only
from tests.unit.snapshot.namespace import Namespace, ago, deployment, service
from tests.unit.snapshot.test_hosts import DJANGO, OPEN_TELEMETRY, SPRING

# As the stock manifest of the Online Boutique has it; no assistant is installed.
BOUTIQUE = {
    "PRODUCT_CATALOG_SERVICE_ADDR": "productcatalogservice:3550",
    "CURRENCY_SERVICE_ADDR": "currencyservice:7000",
    "SHIPPING_SERVICE_ADDR": "shippingservice:50051",
    "SHOPPING_ASSISTANT_SERVICE_ADDR": "shoppingassistantservice:80",
    "ENABLE_PROFILER": "0",
}
SERVICES = ["frontend", "productcatalogservice", "currencyservice", "shippingservice"]
ASSISTANT = Mention("frontend", "SHOPPING_ASSISTANT_SERVICE_ADDR")


def frontend(**more: object) -> Namespace:
    return Namespace(
        [deployment("frontend", env=BOUTIQUE)],
        [service(name) for name in SERVICES],
        fault_start=ago(seconds=30),
        **more,  # type: ignore[arg-type]
    )


def wrong(live: ClusterSnapshot) -> list[str]:
    return [line.text for line in variable_lines(live)]


def settings(live: ClusterSnapshot) -> list[str]:
    drafts = [*SetEnv.candidates(live), *SetConfigValue.candidates(live)]
    return [str(draft["value"]) for draft in drafts]


@pytest.mark.parametrize("observed", [True, False])
def test_an_optional_service_that_is_not_installed_is_not_called_wrong(observed: bool) -> None:
    live = frontend(observed=observed).live()
    assert wrong(live) == []
    assert settings(live) == []
    assert repaired_values(live, ASSISTANT) == ()


def test_it_is_called_wrong_where_it_is_new_or_a_log_names_it() -> None:
    fresh = frontend(released=ago(seconds=60), observed=False).live()
    assert wrong(fresh)[0].startswith(
        "SHOPPING_ASSISTANT_SERVICE_ADDR of frontend is shoppingassistantservice:80, "
        "which is no service: there is shippingservice:80"
    )
    assert "shippingservice:80" in settings(fresh)
    text = "ERROR dial tcp: lookup shoppingassistantservice: no such host"
    target = ObjectRef("Deployment", "shop", "frontend")
    blamed = replace(frontend().live(), findings=(Finding(FindingKind.LOG_ERROR, target, text),))
    assert wrong(blamed)
    reported = frontend(texts=["shoppingassistantservice cannot be reached"]).live()
    assert wrong(reported)


def test_a_new_value_must_repair_what_may_be_wrong() -> None:
    fresh, old = frontend(released=ago(seconds=60)).live(), frontend().live()
    action = SetEnv(
        target=fresh.target,
        container="frontend",
        variable=ASSISTANT.variable,
        value="shippingservice:80",
    )
    rules = only(ActionName.SET_ENV).actions
    action.check(rules, fresh)
    with pytest.raises(RejectedPlaybookError, match="never had this value"):
        action.check(rules, old)


@pytest.mark.parametrize("env", [OPEN_TELEMETRY, SPRING, DJANGO])
def test_words_of_other_things_are_never_called_hosts(env: dict[str, str]) -> None:
    """Incident 37: Services are named like them, and the release is new."""
    namespace = Namespace(
        [deployment("payment", env=env)],
        [service(name) for name in ("paymentservice", "cluster-x", "productions", "orders-db")],
        released=ago(seconds=20),
        fault_start=ago(seconds=10),
    )
    live = namespace.live()
    assert wrong(live) == []
    assert settings(live) == []


def test_a_word_that_once_was_a_service_is_called_wrong() -> None:
    before = deployment("cart", env={"STOCK": "stock"})
    namespace = Namespace(
        [deployment("cart", env={"STOCK": "stokc"})],
        [service("cart"), service("stock")],
        earlier=[(before["spec"]["template"], ago(days=1))],
        released=ago(seconds=20),
    )
    assert wrong(namespace.live())[0].startswith("STOCK of cart is stokc, which is no service")
    assert wrong(replace(namespace, earlier=[]).live()) == []


def test_hosts_of_init_containers_and_config_maps_are_described() -> None:
    target = deployment("cart", envFrom=[{"configMapRef": {"name": "settings"}}])
    target["spec"]["template"]["spec"]["initContainers"] = [
        {"name": "wait", "env": [{"name": "DB_HOST", "value": "postgre"}]}
    ]
    namespace = Namespace(
        [target],
        [service("cart"), service("postgres")],
        config_maps={"settings": {"db.url": "postgres://postgre:5432/x", "mode": "postgre"}},
    )
    assert [line.split(",")[0] for line in wrong(namespace.live())] == [
        "DB_HOST of wait is postgre",
        "db.url of config settings is postgres://postgre:5432/x",
    ]
    # Both have been so for an hour before the fault.
    since = replace(namespace, released=ago(hours=2), fault_start=ago(hours=1))
    assert wrong(since.live()) == []


def test_names_that_the_pods_define_themselves_are_not_missing() -> None:
    target = deployment("cart", env={"DB_HOST": "legacy-db"})
    target["spec"]["template"]["spec"]["hostAliases"] = [
        {"ip": "192.0.2.7", "hostnames": ["legacy-db"]}
    ]
    namespace = Namespace([target], [service("cart"), service("db")])
    assert wrong(namespace.live()) == []
    assert namespace.live().dependencies == ()
