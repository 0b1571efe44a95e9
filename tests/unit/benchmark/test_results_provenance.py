"""Where a run comes from, also where little of that can be found."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from reme_benchmark.harness.environment import commit, hardware, images, read_environment
from reme_benchmark.kube.cluster import Cluster
from reme_kube.errors import ForbiddenError, NotFoundError
from reme_kube.http_client import ApiClient
from reme_kube.responses import HttpResponse

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


class FakeApi:
    """Answers lists by path; everything else does not exist."""

    def __init__(self, lists: dict[str, list[Any]], answers: dict[str, HttpResponse]) -> None:
        self.lists, self.answers = lists, answers

    async def get(self, path: str) -> dict[str, Any]:
        if path == "/version" and self.lists:
            return {"gitVersion": "v1.34.4"}
        raise NotFoundError(path)

    async def list_items(self, path: str, _: Any) -> AsyncIterator[dict[str, Any]]:
        if path not in self.lists:
            raise ForbiddenError(path)
        for item in self.lists[path]:
            yield item

    async def get_raw(self, path: str, _: float) -> HttpResponse:
        return self.answers.get(path, HttpResponse(503, b"no endpoints"))


def cluster(lists: dict[str, list[Any]], **answers: HttpResponse) -> Cluster:
    return Cluster(cast("ApiClient", FakeApi(lists, answers)))


NODE = {
    "metadata": {"name": "n"},
    "spec": {"providerID": "kind://docker/reme/n"},
    "status": {
        "nodeInfo": {"containerRuntimeVersion": "containerd://2", "kernelVersion": "6"},
        "allocatable": {"cpu": "2", "memory": "8Gi"},
    },
}
SERVICE = {
    "metadata": {"name": "reme-model", "namespace": "reme-system"},
    "spec": {"ports": [{"port": 8000}]},
}
MODELS = "/api/v1/namespaces/reme-system/services/http:reme-model:8000/proxy/v1/models"
LISTS = {
    "/api/v1/nodes": [NODE],
    "/api/v1/pods": [],
    "/api/v1/services": [SERVICE],
    "/apis/apps/v1/namespaces/kube-system/daemonsets": [],
}


async def test_the_model_that_is_served_is_named_by_its_digest() -> None:
    body = f'{{"data": [{{"id": "reme"}}, {{"id": "reme@{DIGEST.replace(":", "-")}"}}]}}'
    environment = await read_environment(
        cluster(LISTS, **{MODELS: HttpResponse(200, body.encode())})
    )
    assert environment["model"] == DIGEST
    assert environment["cluster"]["version"] == "v1.34.4"
    assert environment["cluster"]["provider"] == "kind"
    assert "second-node" in environment["cluster"]["cannot"]


@pytest.mark.parametrize("body", [b"not json", b"{}"])
async def test_otherwise_the_one_that_repaired_last(body: bytes) -> None:
    def remediation(at: str, digest: str) -> dict[str, Any]:
        made = {"generation": {"model": "m", "modelDigest": digest}}
        return {"metadata": {"creationTimestamp": at}, "status": {"attempts": [{}, made]}}

    remediations = [
        remediation("2026-01-01T00:00:00Z", OTHER),
        remediation("2026-01-02T00:00:00Z", DIGEST),
    ]
    lists = {**LISTS, "/apis/reme.dev/v1alpha1/remediations": remediations}
    of = cluster(lists, **{MODELS: HttpResponse(200, body)})
    assert (await read_environment(of))["model"] == DIGEST
    assert (await read_environment(of, asks_model=False))["model"] == ""


async def test_a_cluster_that_tells_nothing() -> None:
    environment = await read_environment(cluster({}))
    assert set(environment) == {"commit", "dirty", "images", "model", "cluster", "hardware"}
    assert (environment["images"], environment["model"]) == ({}, "")


def test_digests_of_what_runs_win_over_what_nodes_hold() -> None:
    def pod(image: str, digest: str) -> dict[str, Any]:
        return {"status": {"containerStatuses": [{"image": image, "imageID": digest}]}}

    node = {
        "status": {
            "images": [
                {"names": [f"registry.example/reme-operator@{OTHER}", "localhost/reme-operator:1"]},
                {"names": ["localhost/reme-sandbox:1"]},
                {"names": ["docker.io/library/redis:7"]},
                {"names": None},
            ]
        }
    }
    pods = [pod("localhost/reme-operator:1", DIGEST), pod("redis:7", OTHER), pod("", ""), {}]
    assert images(pods, [node, {}]) == {
        "reme-operator": DIGEST,
        "reme-sandbox": "localhost/reme-sandbox:1",
    }


def test_hardware() -> None:
    facts = hardware()
    assert facts["cores"] >= 1
    assert facts["architecture"]


def test_the_commit_of_a_file_and_whether_it_is_all(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        name = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *name, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    file, stranger = tmp_path / "a.py", tmp_path / "installed.py"
    assert commit(file) == ("", False)
    git("init", "-q")
    file.write_text("1")
    git("add", "a.py")
    git("commit", "-q", "-m", "x")
    head = git("rev-parse", "HEAD")
    assert commit(file) == (head, False)
    file.write_text("2")
    assert commit(file) == (head, True)
    stranger.write_text("")
    assert commit(stranger) == ("", False)
