"""The definitions on a real API server: accepted, structural, defaulting, refusing."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from reme_api.crd_generator import KINDS
from reme_api.diagnosis_report import DiagnosisReport
from reme_kube.credentials import connector
from reme_kube.errors import ConflictError, InvalidError
from reme_kube.http_client import ApiClient
from reme_kube.kubeconfig import find_credentials
from tests.e2e.crds.conftest import DEFINITIONS
from tests.support.objects import SPECS, Object, made

pytestmark = pytest.mark.cluster

EXAMPLES = {
    f"{file.stem}-{number}": example
    for file in sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
    for number, example in enumerate(yaml.safe_load_all(file.read_text()))
    if example["apiVersion"].startswith("reme.dev/")
}
PLURALS = {kind.model.KIND: kind.model.PLURAL for kind in KINDS}
MODELS = {kind.model.KIND: kind.model for kind in KINDS}


def path(obj: Object, *, named: bool = False, sub: str = "") -> str:
    meta = obj["metadata"]
    where = f"/apis/reme.dev/v1alpha1/namespaces/{meta['namespace']}/{PLURALS[obj['kind']]}"
    return where + (f"/{meta['name']}" if named or sub else "") + (f"/{sub}" if sub else "")


async def create(api: ApiClient, obj: Object) -> Object:
    return await api.create(path(obj), obj)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model.KIND)
async def test_a_definition_is_established_and_structural(api: ApiClient, kind: Any) -> None:
    obj = await api.get(f"{DEFINITIONS}/{kind.model.PLURAL}.reme.dev")
    states = {c["type"]: c["status"] for c in obj["status"]["conditions"]}
    assert states["Established"] == "True"
    assert states["NamesAccepted"] == "True"
    assert states.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("kind", sorted(SPECS))
async def test_an_object_goes_back_and_forth(api: ApiClient, namespace: str, kind: str) -> None:
    model = MODELS[kind]
    api_object = model.model_validate(made(kind, namespace))
    sent = api_object.manifest()
    sent.pop("status", None)
    sent["metadata"] = {k: v for k, v in sent["metadata"].items() if v and k != "generation"}
    back = model.model_validate(await create(api, sent))
    assert back.model_dump()["spec"] == api_object.model_dump()["spec"]


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
async def test_an_example_is_taken_and_is_what_its_type_says(
    api: ApiClient, namespace: str, example: Object
) -> None:
    here = example | {"metadata": example["metadata"] | {"namespace": namespace}}
    model = MODELS[here["kind"]]
    back = model.model_validate(await create(api, here))
    assert back.model_dump()["spec"] == model.model_validate(here).model_dump()["spec"]


def test_there_are_examples() -> None:
    kinds = {example["kind"] for example in EXAMPLES.values()}
    assert kinds >= {"DiagnosisReport", "RemediationPolicy"}


async def test_defaults_are_filled_in_and_unknown_fields_pruned(
    api: ApiClient, namespace: str
) -> None:
    policy = made("RemediationPolicy", namespace)
    policy["spec"] = {"actions": [{"name": "Scale"}], "verification": {"windowSeconds": 30}}
    spec = (await create(api, policy))["spec"]
    assert spec["mode"] == "Observe"
    assert spec["actions"] == [
        {"name": "Scale", "maxIncreasePercent": 100, "maxDecreasePercent": 0, "maxReplicas": 10}
    ]
    assert spec["budgets"] == {}  # what a profile may say is not filled in
    assert (spec["verification"]["windowSeconds"], spec["verification"]["timeoutSeconds"]) == (
        30,
        120,
    )
    assert spec["rollback"] == {"enabled": True, "timeoutSeconds": 120}

    bare = made("RemediationPolicy", namespace)
    del bare["spec"]
    assert (await create(api, bare))["spec"]["mode"] == "Observe"

    report = made("DiagnosisReport", namespace, shell="rm -rf /")
    assert "shell" not in (await create(api, report))["spec"]


PROBES_TWICE = [{"name": "p", "rollout": {}}, {"name": "p", "rollout": {"minReplicas": 2}}]
HTTP = {"service": "cart", "port": 80}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("DiagnosisReport", {"probes": [{"name": "p"}]}, r"spec\.probes\[0\].*exactly one of http"),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP, "tcp": HTTP}]},
        r"spec\.probes\[0\].*exactly one of http",
    ),
    ("DiagnosisReport", {"probes": PROBES_TWICE}, r"spec\.probes\[1\].*[Dd]uplicate"),
    (
        "DiagnosisReport",
        {"probes": [{"name": f"p{n}", "rollout": {}} for n in range(9)]},
        r"spec\.probes: Too many",
    ),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP | {"service": "evil.com/"}}]},
        r"spec\.probes\[0\]\.http\.service",
    ),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP | {"port": 0}}]},
        r"spec\.probes\[0\]\.http\.port",
    ),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP | {"port": "x" * 64}}]},
        r"spec\.probes\[0\]\.http\.port",
    ),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP | {"body": "x"}}]},
        r"spec\.probes\[0\]\.http\.body.*needs method POST",
    ),
    (
        "RemediationPolicy",
        {
            "verification": {
                "probes": [
                    {"name": "p", "http": HTTP | {"headers": [{"name": "Cookie", "value": "x"}]}}
                ]
            }
        },
        r"headers\[0\].*send no credentials",
    ),
    (
        "DiagnosisReport",
        {"probes": [{"name": "p", "http": HTTP | {"headers": [{"name": "Host", "value": "x"}]}}]},
        r"headers\[0\].*set by reme",
    ),
    (
        "DiagnosisReport",
        {"target": {"kind": "Secret", "name": "x"}},
        r"spec\.target\.kind.*must be Deployment, StatefulSet or DaemonSet",
    ),
    (
        "DiagnosisReport",
        {"target": {"kind": "Deployment", "name": "x", "apiVersion": "v1"}},
        r"spec\.target\.apiVersion",
    ),
    ("DiagnosisReport", {"target": {"kind": "Deployment"}}, r"spec\.target\.name: Required"),
    ("DiagnosisReport", {"fault": {"type": "x" * 1025}}, r"spec\.fault\.type: Too long"),
    ("Remediation", {"fault": {"type": "a b"}}, r"spec\.fault\.type"),
    (
        "Remediation",
        {"fault": {"type": "x", "confidencePercent": 101}},
        r"spec\.fault\.confidencePercent",
    ),
    (
        "DiagnosisReport",
        {"evidence": [{"text": "x" * 1_000_000}]},
        r"spec\.evidence\[0\]\.text: Too long",
    ),
    ("DiagnosisReport", {"evidence": [{"text": "x"}] * 257}, r"spec\.evidence: Too many"),
    ("RemediationPolicy", {"targets": [{}]}, r"spec\.targets\[0\].*kinds, names or matchLabels"),
    (
        "RemediationPolicy",
        {"targets": [{"kinds": [], "names": []}]},
        r"spec\.targets\[0\].*kinds, names or matchLabels",
    ),
    (
        "RemediationPolicy",
        {"verification": {"windowSeconds": 60, "timeoutSeconds": 59}},
        r"spec\.verification\.timeoutSeconds.*windowSeconds",
    ),
    (
        "RemediationPolicy",
        {"verification": {"windowSeconds": 600}},
        r"spec\.verification\.timeoutSeconds.*windowSeconds",
    ),
    ("RemediationPolicy", {"verification": {"probes": PROBES_TWICE}}, r"verification\.probes\[1\]"),
    (
        "RemediationPolicy",
        {"evidence": {"minPersistenceSeconds": 60}, "deadlineSeconds": 60},
        r"spec\.evidence\.minPersistenceSeconds.*deadlineSeconds",
    ),
    (
        "RemediationPolicy",
        {"evidence": {"minPersistenceSeconds": 1800}},
        r"spec\.evidence\.minPersistenceSeconds.*deadlineSeconds",
    ),
    (
        "RemediationPolicy",
        {"evidence": {"minPersistenceSeconds": -1}},
        r"spec\.evidence\.minPersistenceSeconds",
    ),
    ("RemediationPolicy", {"maxAttempts": 6}, r"spec\.maxAttempts"),
    ("RemediationPolicy", {"mode": "YOLO"}, r"spec\.mode: Unsupported value"),
    ("RemediationPolicy", {"actions": [{"name": "Exec"}]}, r"spec\.actions\[0\]\.name"),
    (
        "RemediationPolicy",
        {"actions": [{"name": "Scale", "maxReplicas": 0}]},
        r"spec\.actions\[0\]\.maxReplicas",
    ),
    ("RemediationPolicy", {"sandbox": {"memoryMebibytes": 1}}, r"spec\.sandbox\.memoryMebibytes"),
    ("Remediation", {"probes": [{"name": "p"}]}, r"spec\.probes\[0\].*exactly one of http"),
    (
        "Remediation",
        {"policy": {"name": "p", "namespace": "n", "spec": {"targets": [{}]}}},
        r"spec\.policy\.spec\.targets\[0\]",
    ),
    ("RunGrant", {"rules": [SPECS["RunGrant"]["rules"][0] | {"verbs": []}]}, r"rules\[0\]\.verbs"),
    (
        "RunGrant",
        {"rules": [SPECS["RunGrant"]["rules"][0] | {"verbs": ["CONNECT"]}]},
        r"rules\[0\]\.verbs\[0\]",
    ),
    ("RunGrant", {"rules": [SPECS["RunGrant"]["rules"][0]] * 33}, r"spec\.rules: Too many"),
    ("RunGrant", {"notAfter": "tomorrow"}, r"spec\.notAfter"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "message"), REFUSED, ids=[f"{k}-{next(iter(s))}-{m}" for k, s, m in REFUSED]
)
async def test_nonsense_is_refused_with_the_field_that_it_is_in(
    api: ApiClient, namespace: str, kind: str, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        await create(api, made(kind, namespace, **spec))


LENIENT: list[dict[str, Any]] = [
    {"target": {"kind": "deployment", "name": "cart"}},
    {"target": {"kind": "STATEFULSET", "name": "cart", "container": "No_Such Container"}},
    {"fault": {"type": "OOM killed (exit 137)"}},
    {"fault": {"type": "oom", "severity": "critical", "confidencePercent": 0.95}},
    {"fault": {"type": "oom", "severity": "warning", "confidencePercent": "95%"}},
    {"fault": {"type": "oom", "severity": "sev-1", "confidencePercent": 101}},
    {"fault": {"type": "oom", "summary": "s" * 60_000}},
    {"evidence": [{"kind": "log", "text": "x" * 60_000, "source": "s" * 1000}]},
    {"evidence": [{"kind": "anything", "text": "x"}] * 60},
    {"source": {"name": "n" * 1000, "reference": "r" * 1000}},
]


@pytest.mark.parametrize("spec", LENIENT, ids=[str(number) for number in range(len(LENIENT))])
async def test_what_tools_write_is_taken_and_its_copy_fits_the_strict_kind(
    api: ApiClient, namespace: str, spec: dict[str, Any]
) -> None:
    taken = DiagnosisReport.model_validate(
        await create(api, made("DiagnosisReport", namespace, **spec))
    )
    copied = {name: taken.spec.wire()[name] for name in ("target", "fault")}
    await create(api, made("Remediation", namespace, **copied))
    # A spec-wide rule is evaluated on updates: an untyped field must not break it.
    report = path(taken.manifest(), named=True)
    await api.patch(report, {"spec": {"suspend": True}})


PROBES = [
    {"name": "number", "http": HTTP},
    {"name": "name", "tcp": {"service": "cart", "port": "http"}},
    {
        "name": "post",
        "http": HTTP
        | {
            "method": "POST",
            "headers": [{"name": "X-Test", "value": "1"}],
            "body": "b" * 8192,
            "contentType": "text/plain",
        },
    },
    {"name": "health", "grpc": {"service": "cart", "port": "grpc", "healthService": "a.B"}},
]


async def test_every_kind_of_request_is_taken_and_copied(api: ApiClient, namespace: str) -> None:
    report = await create(api, made("DiagnosisReport", namespace, probes=PROBES))
    probes = DiagnosisReport.model_validate(report).spec.wire()["probes"]
    remediation = await create(api, made("Remediation", namespace, probes=probes))
    # Rules about the whole spec read ports that are numbers and ports that are names.
    await api.patch(path(remediation, named=True), {"spec": {"suspend": True}})
    policy = made("RemediationPolicy", namespace, verification={"probes": probes})
    assert len((await create(api, policy))["spec"]["verification"]["probes"]) == len(PROBES)


async def test_a_report_keeps_its_target(api: ApiClient, namespace: str) -> None:
    report = await create(api, made("DiagnosisReport", namespace))
    await api.patch(path(report, named=True), {"spec": {"suspend": True}})
    for change in ({"name": "other"}, {"container": "app"}):
        with pytest.raises(InvalidError, match=r"spec\.target.*is immutable"):
            await api.patch(path(report, named=True), {"spec": {"target": change}})


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("reportRef", {"uid": "other"}),
        ("target", {"name": "other"}),
        ("fault", {"summary": "other"}),
        ("probes", []),
        ("policy", {"spec": {"actions": [{"name": "Restart"}]}}),
    ],
)
async def test_a_remediation_keeps_what_it_began_with(
    api: ApiClient, namespace: str, field: str, change: Any
) -> None:
    remediation = await create(api, made("Remediation", namespace))
    with pytest.raises(InvalidError, match=rf"spec\.{field}.*{field} is immutable"):
        await api.patch(path(remediation, named=True), {"spec": {field: change}})


async def test_a_remediation_can_be_suspended_resumed_and_cancelled_for_good(
    api: ApiClient, namespace: str
) -> None:
    where = path(await create(api, made("Remediation", namespace)), named=True)
    await api.patch(where, {"spec": {"suspend": True}})
    await api.patch(where, {"spec": {"suspend": False}})
    await api.patch(where, {"spec": {"cancel": True}})
    for value in (False, None):
        with pytest.raises(InvalidError, match=r"spec\.cancel.*cannot be set back"):
            await api.patch(where, {"spec": {"cancel": value}})


async def test_an_outcome_stays(api: ApiClient, namespace: str) -> None:
    made_ = await create(api, made("Remediation", namespace))
    status = path(made_, sub="status")
    await api.patch(status, {"status": {"outcome": "Verified"}})
    await api.patch(status, {"status": {"outcome": "Verified", "message": "held"}})
    for change in ({"outcome": "Rejected"}, {"outcome": None}):
        with pytest.raises(InvalidError, match=r"status\.outcome.*is immutable"):
            await api.patch(status, {"status": change})
    with pytest.raises(InvalidError, match="is immutable"):
        await api.patch(status, {"status": None})


async def test_the_spec_is_not_changed_through_the_status_nor_the_other_way(
    api: ApiClient, namespace: str
) -> None:
    made_ = await create(api, made("Remediation", namespace))
    by_status = await api.patch(path(made_, sub="status"), {"spec": {"suspend": True}})
    assert by_status["spec"]["suspend"] is False
    by_spec = await api.patch(path(made_, named=True), {"status": {"outcome": "Verified"}})
    assert "status" not in by_spec


def condition(kind: str, **more: str) -> Object:
    base = {"type": kind, "status": "True", "reason": "ProbesPassed"}
    return base | {"lastTransitionTime": "2026-01-01T00:00:00.000Z"} | more


async def test_a_condition_is_there_once_and_says_why_in_known_words(
    api: ApiClient, namespace: str
) -> None:
    status = path(await create(api, made("Remediation", namespace)), sub="status")
    twice = [condition("Verified"), condition("Verified", status="False")]
    with pytest.raises(InvalidError, match=r"status\.conditions\[1\]"):
        await api.patch(status, {"status": {"conditions": twice}})
    with pytest.raises(InvalidError, match=r"status\.conditions\[0\]\.reason"):
        await api.patch(status, {"status": {"conditions": [condition("Verified", reason="Luck")]}})


async def test_columns_show_what_a_person_looks_for(api: ApiClient, namespace: str) -> None:
    report = await create(api, made("DiagnosisReport", namespace))
    done = [{"name": "one", "outcome": "RolledBack"}, {"name": "two", "outcome": "Verified"}]
    conditions = [condition("Accepted"), condition("Remediated")]
    await api.patch(
        path(report, sub="status"), {"status": {"conditions": conditions, "remediations": done}}
    )
    remediation = await create(api, made("Remediation", namespace))
    status = {"conditions": [condition("Succeeded")], "outcome": "Verified"}
    await api.patch(path(remediation, sub="status"), {"status": status})
    assert await row(report) == ["cart", "oom", "True", "True", "Verified"]
    assert await row(remediation) == ["cart", "True", "Verified", "ProbesPassed"]
    policy = await create(api, made("RemediationPolicy", namespace))
    assert await row(policy) == ["Auto", None, "SoloGen", None, None]


async def row(obj: Object) -> list[Any]:
    """Return the cells that `kubectl get` shows between name and age."""
    credentials = find_credentials()
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io", **credentials.headers(0)}
    async with (
        aiohttp.ClientSession(connector=connector(credentials, 32)) as session,
        session.get(credentials.server + path(obj, named=True), headers=headers) as response,
    ):
        table = await response.json()
    names = [c["name"] for c in table["columnDefinitions"] if not c["priority"]]
    cells = dict(zip(names, table["rows"][0]["cells"], strict=False))
    return [value for name, value in cells.items() if name not in {"Name", "Age"}]


async def test_a_stale_status_is_refused(api: ApiClient, namespace: str) -> None:
    made_ = await create(api, made("Remediation", namespace))
    await api.patch(path(made_, sub="status"), {"status": {"message": "newer"}})
    with pytest.raises(ConflictError):
        await api.replace(path(made_, sub="status"), made_ | {"status": {"message": "older"}})
