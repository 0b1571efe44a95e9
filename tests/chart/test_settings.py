"""The environment of the containers is what the code in them reads."""

import pytest

from reme_model.prompt.messages import PromptStyle
from reme_model.serving.serve import ServeSettings
from reme_operator.settings import OperatorSettings
from tests.support.chart import environment, render


def operator(values: str, name: str = "reme-operator") -> dict[str, str]:
    return environment(render(values).one("Deployment", name)["spec"]["template"]["spec"])


def settings(values: str, monkeypatch: pytest.MonkeyPatch, name: str) -> OperatorSettings:
    mapping = operator(values, name) | {"REME_NAMESPACE": "reme-system", "REME_POD_NAME": "pod"}
    for key, value in mapping.items():
        monkeypatch.setenv(key, value)
    return OperatorSettings()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ("default", "reme-operator"),
        ("namespaced", "reme-operator"),
        ("endpoint", "reme-operator"),
        ("everything", "repairs-operator"),
    ],
)
def test_every_variable_is_a_setting_and_parses(
    values: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {f"REME_{field.upper()}" for field in OperatorSettings.model_fields}
    names = {key for key in operator(values, name) if key.startswith("REME_")}
    assert names <= fields
    settings(values, monkeypatch, name)


def test_every_setting_that_has_no_default_is_given() -> None:
    needed = {
        f"REME_{name.upper()}"
        for name, field in OperatorSettings.model_fields.items()
        if field.is_required()
    }
    assert needed <= set(operator("default"))


def test_the_defaults_of_the_chart_are_the_defaults_of_the_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator_settings = settings("default", monkeypatch, "reme-operator")
    for name, field in OperatorSettings.model_fields.items():
        # The chart serves the trained model; the code alone knows nothing of what answers.
        if name in {
            "namespace",
            "pod_name",
            "sandbox_image",
            "model_endpoint",
            "model_prompt_style",
        }:
            continue
        assert getattr(operator_settings, name) == field.default, name


def test_the_model_of_the_release_is_asked_as_it_was_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = settings("default", monkeypatch, "reme-operator")
    assert own.model_prompt_style is PromptStyle.TRAINED
    other = settings("endpoint", monkeypatch, "reme-operator")
    assert other.model_prompt_style is PromptStyle.FEW_SHOT


def test_namespaced_the_operator_watches_the_list_and_binds_roles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator_settings = settings("everything", monkeypatch, "repairs-operator")
    assert operator_settings.watch_namespaces == ("shop", "payments")
    assert operator_settings.run_role_kind == "Role"
    assert operator_settings.run_role_prefix == "repairs-run-"
    assert operator_settings.sandbox_image_pull_secrets == ("pull",)
    assert operator_settings.paused is True


def test_the_endpoint_is_the_service_of_the_release_or_the_one_that_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = settings("default", monkeypatch, "reme-operator")
    assert own.model_endpoint == "http://reme-model.reme-system.svc:8000/v1"
    other = settings("endpoint", monkeypatch, "reme-operator")
    assert other.model_endpoint == "https://models.example.com/v1"
    assert other.model_name == "qwen3-8b"


def test_the_key_of_the_endpoint_is_a_file() -> None:
    rendered = render("endpoint")
    pod = rendered.one("Deployment", "reme-operator")["spec"]["template"]["spec"]
    file = environment(pod)["REME_MODEL_API_KEY_FILE"]
    mounts = {m["name"]: m for m in pod["containers"][0]["volumeMounts"]}
    (volume,) = [v for v in pod["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == "model-key"
    (item,) = volume["secret"]["items"]
    assert item["key"] == "token"
    assert f"{mounts[volume['name']]['mountPath']}/{item['path']}" == file
    assert mounts[volume["name"]]["readOnly"] is True
    assert "REME_MODEL_API_KEY_FILE" not in operator("default")


def test_the_port_of_the_probes_is_the_port_that_is_listened_on() -> None:
    pod = render("default").one("Deployment", "reme-operator")["spec"]["template"]["spec"]
    (port,) = pod["containers"][0]["ports"]
    assert str(port["containerPort"]) == environment(pod)["REME_HTTP_PORT"]


@pytest.mark.parametrize("values", ["default", "gpu"])
def test_the_model_server_reads_what_it_is_given(
    values: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = render(values).one("Deployment", "reme-model")["spec"]["template"]["spec"]
    mapping = environment(pod)
    fields = {f"REME_MODEL_{field.upper()}" for field in ServeSettings.model_fields}
    assert set(mapping) <= fields
    for key, value in mapping.items():
        monkeypatch.setenv(key, value)
    serve_settings = ServeSettings()
    assert serve_settings.port == pod["containers"][0]["ports"][0]["containerPort"]
    if values == "default":
        for key in mapping:
            name = key.removeprefix("REME_MODEL_").lower()
            assert getattr(serve_settings, name) == ServeSettings.model_fields[name].default, name
