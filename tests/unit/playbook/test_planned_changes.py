from reme_playbook.actions.config_value import SetConfigValue
from reme_playbook.actions.delete_pod import DeletePod
from reme_playbook.actions.env import SetEnv
from reme_playbook.actions.resources import SetResources
from reme_playbook.actions.restart import Restart
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.rollout import ResumeRollout
from reme_playbook.actions.scale import Scale
from reme_playbook.actions.service import PatchServiceSelector
from reme_playbook.execution.capture import planned_changes
from tests.unit.playbook.builders import CART, CONFIG, SERVICE, Shop, container, key, template


def shown(*actions: object, shop: Shop | None = None) -> list[tuple[str, str, str]]:
    result = planned_changes(actions, (shop or Shop()).live())  # type: ignore[arg-type]
    return [(c.field, c.before, c.after) for c in result]


def test_each_field_is_told_before_and_after() -> None:
    assert shown(
        SetResources(target=CART, container="server", memory_limit="256Mi", cpu_limit="300m"),
        Scale(target=CART, replicas=3),
        PatchServiceSelector(target=SERVICE, selector={"app": None, "tier": "web"}),
        Restart(target=CART),
        DeletePod(target=key("Pod", "cart-6d-0")),
    ) == [
        ("spec.template.spec.containers[server].resources.limits.memory", "128Mi", "256Mi"),
        ("spec.replicas", "2", "3"),
        ("spec.selector[app]", "cart", ""),
        ("spec.selector[tier]", "", "web"),
        ("spec.template.metadata.annotations[reme.dev/restarted-at]", "", "now"),
        ("metadata.deletionTimestamp", "", "now"),
    ]
    assert shown(ResumeRollout(target=CART), shop=Shop(spec={"paused": True})) == [
        ("spec.paused", "true", "false")
    ]


def test_a_rollback_tells_every_field_of_the_pods_that_differs() -> None:
    old = template(container(image="cart:1"))
    assert shown(Rollback(target=CART), shop=Shop(earlier=[old])) == [
        ("spec.template.spec.containers[server].image", "registry.example/cart:2", "cart:1")
    ]
    assert shown(Rollback(target=CART)) == []


def test_secrets_are_hidden() -> None:
    def secret(value: str) -> dict[str, object]:
        return template(container(env=[{"name": "API_KEY", "value": value}]))

    shop = Shop(template=secret("one"), earlier=[secret("two")])
    field = "spec.template.spec.containers[server].env[API_KEY].value"
    assert shown(Rollback(target=CART), shop=shop) == [(field, "(hidden)", "(hidden)")]
    url = SetEnv(target=CART, container="server", variable="LEVEL", value="x://a:b@c")
    assert shown(url)[0][1:] == ("info", "(hidden)")


def test_long_values_are_cut_and_there_are_not_too_many() -> None:
    (change,) = planned_changes(
        [SetConfigValue(target=CONFIG, key="a", value="x" * 999)], Shop().live()
    )
    assert len(change.after) == 256
    many = template(container(env=[{"name": f"A{n}", "value": "x"} for n in range(99)]))
    assert len(shown(Rollback(target=CART), shop=Shop(earlier=[many]))) == 32
