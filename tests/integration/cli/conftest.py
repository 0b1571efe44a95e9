"""`kubectl reme` in this process, against a fake API server in another thread."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from reme_api.remediation import Remediation
from reme_operator.cli.main import main
from tests.doubles.fake_api import FakeApi

NAMESPACE = "shop"
NAME = "cart-down-12345678"


@dataclass
class Cluster:
    """A fake cluster, and what the commands sent to it."""

    kubeconfig: Path
    capsys: pytest.CaptureFixture[str]
    api: FakeApi = field(default_factory=FakeApi)
    patches: list[dict[str, Any]] = field(default_factory=list)

    def outputs(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Run a command; return its standard output and standard error."""
        assert main(arguments) == code
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    def run(self, *arguments: str, fails: int = 0) -> str:
        """Run a command; return its standard output, or its standard error if it must fail."""
        return self.outputs(*arguments, code=fails)[1 if fails else 0]

    def holds(self, *remediations: Remediation) -> None:
        for remediation in remediations:
            self.api.put("remediations", remediation.manifest())

    def stores(self, name: str, **data: str) -> None:
        self.api.put(
            "configmaps", {"metadata": {"name": name, "namespace": NAMESPACE}, "data": data}
        )

    @property
    def sent(self) -> dict[str, Any]:
        """The spec of the only patch."""
        (patch,) = self.patches
        spec: dict[str, Any] = patch["spec"]
        return spec

    def intercept(self, method: str, path: str, body: Any) -> web.Response | None:
        if path.endswith("/selfsubjectreviews"):
            return web.json_response({"status": {"userInfo": {"username": "ann"}}}, status=201)
        if method == "PATCH":
            self.patches.append(body)
        return None


@pytest.fixture
def cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "kubeconfig", capsys)
    made.api.faults.append(made.intercept)
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with made.api.running():
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(10)
    context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": context}],
        "clusters": [{"name": "c", "cluster": {"server": made.api.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    made.kubeconfig.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
