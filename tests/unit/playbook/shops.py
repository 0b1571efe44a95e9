"""Shops that are broken in all sorts of ways, for hypothesis."""

from typing import Any

from hypothesis import strategies as st

from tests.unit.playbook.builders import CART, CONFIG, FRONT, Shop, container, template
from tests.unit.playbook.constrained import ALL, MISSING, NEIGHBOURS, STOCK_PODS

_amounts = st.sampled_from(["64Mi", "128Mi", "100M", "0.5Gi", "134217729"])
_cpus = st.sampled_from(["2m", "300m", "1", "0.5"])
_urls = st.sampled_from(
    [
        "http://stock:8080/",
        "http://stok:8080/",
        "stok",
        "stock",
        "a,b",
        "{{ x }}",
        "info",
        "",
        "é\n",
    ]
)


def _resources() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "limits": st.fixed_dictionaries({}, optional={"cpu": _cpus, "memory": _amounts}),
            "requests": st.fixed_dictionaries({}, optional={"cpu": st.just("1m")}),
        },
    )


def _env() -> st.SearchStrategy[list[dict[str, Any]]]:
    entry = st.fixed_dictionaries(
        {"name": st.sampled_from(["STOCK_URL", "LEVEL", "MODE"])}, optional={"value": _urls}
    )
    return st.lists(entry, max_size=3, unique_by=lambda e: e["name"])


def _probe() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "httpGet": st.fixed_dictionaries(
                {"port": st.sampled_from([8080, 80, "http"])},
                optional={"path": st.sampled_from(["/ready", "/"])},
            )
        },
        optional={
            "initialDelaySeconds": st.integers(1, 30),
            "periodSeconds": st.integers(1, 30),
            "failureThreshold": st.integers(1, 5),
        },
    )


def templates() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "image": st.sampled_from(["cart:1", "cart:2", "r/cart@sha256:0"]),
            "env": _env(),
            "resources": _resources(),
            "readinessProbe": st.none() | _probe(),
            "command": st.sampled_from([None, ["/cart"], ["/crat", "é"]]),
            "args": st.sampled_from([None, ["--fast"]]),
            "nodeSelector": st.sampled_from([None, {"disk": "ssd"}, {"disk": "hdd", "zone": "a"}]),
        }
    ).map(_template)


def _template(fields: dict[str, Any]) -> dict[str, Any]:
    selector = fields.pop("nodeSelector")
    spec = {"nodeSelector": selector} if selector else {}
    return template(container(**fields), **spec)


def shops() -> st.SearchStrategy[Shop]:
    return st.builds(
        Shop,
        kind=st.sampled_from(["Deployment", "Deployment", "StatefulSet", "DaemonSet"]),
        template=templates(),
        earlier=st.lists(templates(), max_size=2),
        replicas=st.integers(0, 4),
        spec=st.sampled_from([{}, {"paused": True}]),
        selector=st.sampled_from(
            [{"app": "cart"}, {"app": "card"}, {"run": "x"}, {"app": "cart", "v": "1"}]
        ),
        ports=st.sampled_from(
            [[{"port": 80, "targetPort": 8080}], [{"port": 80, "targetPort": "web"}, {"port": 81}]]
        ),
        data=st.sampled_from([{"stock": "stok:8080"}, {"color": "red"}, {}]),
        applied=st.sampled_from([{}, {CONFIG: {"data": {"color": "blue\ngreen"}}}]),
        **_related_objects(),
    )


def _related_objects() -> dict[str, st.SearchStrategy[Any]]:
    """Return fields about related objects, each from one of the shops that it breaks."""
    related = st.lists(st.sampled_from(ALL), max_size=3).map(
        lambda shops: {key: manifest for shop in shops for key, manifest in shop.related.items()}
    )
    return {
        "related": related,
        "status": st.sampled_from([{}, MISSING]),
        "unplaced": st.booleans(),
        "neighbours": st.just(NEIGHBOURS),
        "callers": st.sampled_from([(), (FRONT,)]),
        "callees": st.sampled_from([(), (STOCK_PODS,)]),
        "node_labels": st.sampled_from([None, frozenset({("disk", "hdd")})]),
    }


__all__ = ["CART", "shops", "templates"]
