import pytest

from reme_playbook.snapshot.sensitive import sensitive_name, sensitive_value
from reme_playbook.snapshot.service_hosts import (
    missing_hosts,
    replaced_hosts,
    replaces_missing_hosts,
)

SERVICES = ("cart", "stock", "redis-master")


@pytest.mark.parametrize(
    ("name", "value", "first"),
    [
        ("STOCK_URL", "http://stok:8080/a?b=c", "http://stock:8080/a?b=c"),
        ("REDIS", "redis:6379", "redis-master:6379"),
        ("STOCK_HOST", "wrong", None),
        ("DB", "jdbc:mysql://stockk:3306/x", "jdbc:mysql://stock:3306/x"),
        ("URL", "http://stok.shop:80", "http://stock.shop:80"),
        ("URL", "http://stok.shop.svc.cluster.local:80", "http://stock.shop.svc.cluster.local:80"),
        ("CALLS", "http://cart:80/,http://stok:80/", "http://cart:80/,http://stock:80/"),
        ("CALLS", "http://crat:80/,http://stok:80/", "http://cart:80/,http://stock:80/"),
    ],
)
def test_a_host_that_leads_nowhere_is_replaced(name: str, value: str, first: str | None) -> None:
    result = replaced_hosts(name, value, SERVICES, "shop")
    assert 1 <= len(result) <= 3
    if first is not None:
        assert result[0] == first
    for new in result:
        assert replaces_missing_hosts(name, value, new, SERVICES, "shop")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOCK_URL", "http://stock:8080/"),
        ("LEVEL", "info"),
        ("MODE", "production"),
        ("URL", "https://api.stripe.com/v1"),
        ("URL", "http://stok.other:80"),
        ("URL", "http://stok.other.svc:80"),
        ("PORT_RANGE", "1:2"),
        ("URL", "http://10.0.0.1:80"),
        ("URL", ""),
        ("URL", "a b"),
        ("URL", "http://a:b@stok:80"),
        ("URL", "http://Stok:80"),
        ("URL", "x" * 2000),
        ("RUNNER_IMAGE", "localhost/runner:dev"),
        ("RUNNER_IMAGE", "stok:8080"),
        ("STOCK", "stokc"),
        ("TARGET_ENV", "stok"),
        ("SERVER_MODE", "stok"),
        ("SERVER_PORT", "8080"),
        ("OTEL_SERVICE_NAME", "stok"),
        ("STOCK_URL", "http://localhost:8080"),
    ],
)
def test_other_values_are_left_alone(name: str, value: str) -> None:
    assert replaced_hosts(name, value, SERVICES, "shop") == ()
    assert not replaces_missing_hosts(name, value, "stock", SERVICES, "shop")
    assert replaced_hosts(name, value, (), "shop") == ()


def test_a_word_that_once_was_a_service_is_replaced() -> None:
    new = replaced_hosts("STOCK", "stokc", SERVICES, "shop", resolved=True)
    assert new[0] == "stock"
    assert replaces_missing_hosts("STOCK", "stokc", "stock", SERVICES, "shop", resolved=True)
    assert missing_hosts("STOCK", "stokc", SERVICES, "shop", resolved=True) == ("stokc",)
    assert missing_hosts("URLS", "http://stok,http://cart", SERVICES, "shop") == ("stok",)


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "dbPassword",
        "API_KEY",
        "apiKey",
        "AUTH_TOKEN",
        "aws.secret.access.key",
        "DSN",
        "PGPASS_PWD",
        "MYSQL_PWD",
        "client-secret",
        "SIGNING_KEY",
        "auth",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert sensitive_name(name)


@pytest.mark.parametrize(
    "name",
    ["STOCK_URL", "AUTH_SERVICE_HOST", "LEVEL", "KEYSPACE", "CACHE_KEY_PREFIX", "PASSES", "A"],
)
def test_names_of_other_things_are_not(name: str) -> None:
    assert not sensitive_name(name)


@pytest.mark.parametrize(
    ("value", "sensitive"),
    [
        ("postgres://user:pw@db/x", True),
        ("postgres://user@db/x", False),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.x", True),
        ("Bearer abcdefgh1234", True),
        ("a: 1\n  db_password = x\n", True),
        ("http://stock:8080/", False),
        ("info", False),
    ],
)
def test_values_that_look_like_secrets_are_known(value: str, sensitive: bool) -> None:
    assert sensitive_value(value) is sensitive


def test_the_own_service_replaces_only_a_name_that_is_much_like_it() -> None:
    services = ("checkout", "plausible-inventory")
    value = "http://inventory:8080/stock"
    assert replaced_hosts("CALLS", value, services, "shop", own=["checkout"]) == (
        "http://plausible-inventory:8080/stock",
    )
    peers = replaced_hosts(
        "PEERS", "web-headles:80", ("web-headless",), "shop", own=["web-headless"]
    )
    assert peers == ("web-headless:80",)
    assert replaced_hosts("CALLS", value, ("checkout",), "shop", own=["checkout"]) == ()
