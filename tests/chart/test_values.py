"""Which values the chart takes, and in which words it refuses the others."""

from pathlib import Path

import pytest

from tests.support.chart import CHART, HelmError, helm, render

CI = sorted(p.name.removesuffix("-values.yaml") for p in (CHART / "ci").glob("*-values.yaml"))


@pytest.mark.parametrize("values", CI)
def test_helm_lint_finds_nothing(values: str) -> None:
    file = str(CHART / "ci" / f"{values}-values.yaml")
    text = helm("lint", str(CHART), "--values", file, "--strict")
    assert "0 chart(s) failed" in text
    assert "[WARNING]" not in text


@pytest.mark.parametrize("values", CI)
def test_every_set_of_values_renders(values: str) -> None:
    assert render(values).of("Deployment")


def test_the_sets_that_are_promised_exist() -> None:
    promised = {"default", "namespaced", "endpoint", "gpu", "everything", "demo", "e2e"}
    assert promised <= set(CI)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.enable=true", "'enable' not allowed"),
        ("modle.enabled=true", "'modle' not allowed"),
        ("logLevel=loud", "/logLevel"),
        ("model.endpoint=ftp://x", "/model/endpoint"),
        ("defaultPolicy.mode=Yolo", "/defaultPolicy/mode"),
        ("defaultPolicy.actions[0].name=Destroy", "/defaultPolicy/actions/0/name"),
        ("watchNamespaces={Shop}", "/watchNamespaces/0"),
        ("watchNamespaces={shop,shop}", "/watchNamespaces"),
        ("operator.image.digest=abc", "/operator/image/digest"),
        ("operator.replicas=many", "/operator/replicas"),
        ("fullnameOverride=Reme_1", "/fullnameOverride"),
        ("metrics.serviceMonitor.interval=often", "interval"),
        ("networkPolicy.apiServer.cidrs={here}", "/networkPolicy/apiServer/cidrs/0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(setting: str, words: str) -> None:
    with pytest.raises(HelmError, match=r"don't meet the specifications") as refused:
        render(None, setting)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("model.endpoint=http://x/v1",), "model.enabled and model.endpoint are both given"),
        (("model.enabled=false",), "No model: model.enabled is false and model.endpoint is empty"),
        (("model.apiKeySecret.name=key",), "is for a server that exists"),
        (("watchNamespaces={shop,kube-system}",), "reme never acts in kube-system"),
        (("watchNamespaces={reme-system}",), "reme never acts in reme-system"),
        (("defaultPolicy.spec.mode=Auto",), "set defaultPolicy.mode instead"),
        (("serviceAccount.create=false",), "serviceAccount.name is needed"),
    ],
)
def test_values_that_make_no_sense_together_are_refused(
    settings: tuple[str, ...], words: str
) -> None:
    with pytest.raises(HelmError) as refused:
        render(None, *settings)
    assert words in str(refused.value)


def test_a_cluster_that_is_too_old_is_refused() -> None:
    with pytest.raises(HelmError, match=r"requires kubeVersion: >=1\.30"):
        helm("template", "reme", str(CHART), "--kube-version", "1.29.9")


def test_the_release_name_does_not_have_to_be_reme(tmp_path: Path) -> None:
    text = helm("template", "repairs", str(CHART), "--kube-version", "1.34.0")
    assert "name: repairs-reme-operator\n" in text
