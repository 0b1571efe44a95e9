"""A cluster in Docker containers, made with kind."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import api_dump, binaries, image_archive, local_images, progress
from reme_cluster.commands import run, succeeds
from reme_cluster.errors import ClusterError, CommandError, NotUpError, PrerequisiteError
from reme_cluster.files import read_json, write_json
from reme_cluster.kubectl import Kubectl, apply_manifests
from reme_cluster.lock import exclusive
from reme_cluster.provider import NodeStatus, Status, UpOptions
from reme_cluster.readiness import is_ready
from reme_cluster.settings import Settings

_METRICS_IMAGE = "localhost/reme-cluster/metrics-server"


def docker_answers() -> bool:
    """Return whether a Docker engine answers, not only whether its client is installed."""
    return succeeds(["docker", "version", "--format", "{{.Server.Version}}"], timeout_seconds=10)


class KindProvider:
    """A cluster in Docker containers, with kind's own node image."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def kubeconfig(self) -> Path:
        """The file that gives full access."""
        return self._settings.state_dir / "kubeconfig"

    def up(self, options: UpOptions) -> None:
        """Create the cluster, or add its missing parts.

        Raises:
            PrerequisiteError: no Docker engine answers.
            CommandError: kind failed.
        """
        if not docker_answers():
            raise PrerequisiteError(["a Docker engine: `docker version` does not reach one"])
        installed = {"kind"} if shutil.which("kind") else set()
        names = tuple(name for name in binaries.KIND_BINARIES if name not in installed)
        programs = binaries.build(self._settings.cache, names)
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            creating = self._settings.state_dir / "creating"
            if creating.exists():
                with progress.step("remove the cluster of an interrupted `up`"):
                    self._kind("delete", "cluster", *self._target())
            if self._settings.name not in self._kind("get", "clusters").split():
                creating.touch()
                with progress.step("create the kind cluster"):
                    self._create(options)
            creating.unlink(missing_ok=True)
            self._kind("export", "kubeconfig", *self._target())
            write_json(self._settings.state_dir / "cluster.json", {"provider": "kind"})
            with progress.step("metrics server"):
                self._add_metrics(programs["metrics-server"])

    def _create(self, options: UpOptions) -> None:
        roles = ["control-plane"] + ["worker"] * ((options.nodes or 1) - 1)
        config = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "nodes": [{"role": role} for role in roles],
        }
        path = self._settings.state_dir / "kind.yaml"
        write_json(path, config)
        (self._settings.state_dir / "images.json").unlink(missing_ok=True)
        wait = f"--wait={options.timeout_seconds}s"
        self._kind("create", "cluster", *self._target(), f"--config={path}", wait)

    def _add_metrics(self, program: Path) -> None:
        name = f"{_METRICS_IMAGE}:{program.parent.name}"
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "metrics-server.tar"
            files = {"metrics-server": program}
            image_archive.write_image(
                archive, name=name, files=files, entrypoint=["/metrics-server"]
            )
            self._kind("load", "image-archive", str(archive), "--name", self._settings.name)
        apply_manifests(self._kubectl(), "metrics-server.yaml", METRICS_SERVER_IMAGE=name)

    def down(self) -> None:
        """Remove the cluster; nothing to do if there is none."""
        if not self._settings.state_dir.exists():
            progress.say(f"no cluster {self._settings.name}")
            return
        with exclusive(self._settings.state_dir / "lock", f"cluster {self._settings.name}"):
            with progress.step("delete the kind cluster"):
                self._kind("delete", "cluster", *self._target())
            shutil.rmtree(self._settings.state_dir)

    def status(self) -> Status:
        """Return the status without changing the cluster."""
        try:
            objects = self._kubectl().list("nodes")
        except (CommandError, NotUpError):
            objects = []
        nodes = [
            NodeStatus(o["metadata"]["name"], o["status"]["addresses"][0]["address"], is_ready(o))
            for o in objects
        ]
        versions = {"kind": self._kind("version").split()[1]} if nodes else {}
        if objects:
            versions["kubernetes"] = objects[0]["status"]["nodeInfo"]["kubeletVersion"]
        return Status(
            name=self._settings.name,
            provider="kind",
            running=bool(nodes) and all(node.ready for node in nodes),
            state_dir=str(self._settings.state_dir),
            kubeconfig=str(self.kubeconfig),
            nodes=nodes,
            versions=versions,
        )

    def load(self, images: Sequence[str]) -> None:
        """Load images into every node, except those that it has."""
        path = self._settings.state_dir / "images.json"
        for image in images:
            source = local_images.find(image)
            records = read_json(path) or {}
            if records.get(image) == source.image_id:
                progress.say(f"  = {image} is loaded already")
                continue
            with tempfile.TemporaryDirectory() as scratch, progress.step(f"load {image}"):
                archive = source.save(Path(scratch))
                self._kind("load", "image-archive", str(archive), "--name", self._settings.name)
            write_json(path, records | {image: source.image_id})

    def logs(self, component: str | None, lines: int) -> str:  # noqa: ARG002
        """Raise ClusterError: kind keeps the logs inside the nodes and exports only all."""
        raise ClusterError("with kind, use `logs --to DIRECTORY`")

    def collect(self, directory: Path) -> None:
        """Write all logs and the objects of the API server to a directory."""
        directory.mkdir(parents=True, exist_ok=True)
        self._kind("export", "logs", str(directory / "components"), "--name", self._settings.name)
        (directory / "status.json").write_text(json.dumps(self.status().as_json(), indent=2))
        api_dump.write_dump(self._kubectl(), directory)

    def _kind(self, *arguments: str) -> str:
        program = shutil.which("kind") or binaries.path(self._settings.cache, "kind")
        return run([program, *arguments], timeout_seconds=1800)

    def _target(self) -> tuple[str, ...]:
        return ("--name", self._settings.name, "--kubeconfig", str(self.kubeconfig))

    def _kubectl(self) -> Kubectl:
        if not self.kubeconfig.exists():
            raise NotUpError(f"no cluster {self._settings.name}: run `up` first")
        program = binaries.path(self._settings.cache, "kubectl")
        return Kubectl.of_cluster(program, self.kubeconfig)
