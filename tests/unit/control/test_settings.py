from pathlib import Path

import pytest
from pydantic import ValidationError

from reme_operator.settings import OperatorSettings

NEEDED = {
    "REME_NAMESPACE": "reme-system",
    "REME_SANDBOX_IMAGE": "localhost/reme-sandbox:dev",
    "REME_MODEL_ENDPOINT": "http://reme-model:8000/v1/",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def read() -> OperatorSettings:
    return OperatorSettings()


def test_three_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = read()
    assert settings.release_namespace == "reme-system"
    assert settings.model_endpoint == "http://reme-model:8000/v1"
    assert settings.watch_namespaces == ()
    assert settings.pod_name
    assert settings.model_api_key() == ""


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_each_of_them_is_needed(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "")
    with pytest.raises(ValidationError, match=name.removeprefix("REME_").lower()):
        read()


def test_namespaces_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REME_WATCH_NAMESPACES", "shop, payments,")
    assert read().watch_namespaces == ("shop", "payments")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REME_WATCH_NAMESPACES", "Shop"),
        ("REME_RUN_ROLE_KIND", "Secret"),
        ("REME_MODEL_ENDPOINT", "ftp://model"),
        ("REME_MODEL_TIMEOUT_SECONDS", "0"),
        ("REME_LEASE_RENEW_SECONDS", "15"),
        ("REME_LOG_LEVEL", "loud"),
    ],
)
def test_nonsense_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError):
        read()


def test_the_key_is_read_from_its_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "api-key"
    file.write_text("k-123\n")
    environment.setenv("REME_MODEL_API_KEY_FILE", str(file))
    assert read().model_api_key() == "k-123"
    assert "k-123" not in repr(read())


def test_every_field_says_what_it_is_for() -> None:
    for name, field in OperatorSettings.model_fields.items():
        assert field.description, name


def test_the_url_of_prometheus_may_be_empty_and_is_a_url_otherwise(
    environment: pytest.MonkeyPatch,
) -> None:
    assert read().prometheus_url == ""
    environment.setenv("REME_PROMETHEUS_URL", "http://prometheus.monitoring:9090/")
    assert read().prometheus_url == "http://prometheus.monitoring:9090"
    environment.setenv("REME_PROMETHEUS_URL", "prometheus:9090")
    with pytest.raises(ValidationError):
        read()
