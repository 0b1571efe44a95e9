from pathlib import Path

import pytest

from reme_cluster import binaries, go_toolchain
from reme_cluster.errors import ClusterError


@pytest.fixture(autouse=True)
def a_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_toolchain, "version", lambda _: "go1.99.0")
    binaries._key.cache_clear()


def test_versions_come_from_go_mod() -> None:
    assert binaries.version("k8s.io/kubernetes").startswith("v1.")
    assert binaries.version("sigs.k8s.io/metrics-server").startswith("v0.")
    with pytest.raises(ClusterError, match=r"no version of example\.com"):
        binaries.version("example.com/nothing")


def test_a_program_is_named_by_the_last_part_of_its_package_but_the_version() -> None:
    names = {name: binary.installed_as for name, binary in binaries.BINARIES.items()}

    assert names["etcd"] == "server"
    assert names["coredns"] == "coredns"
    assert names["helm"] == "helm"


def test_other_sources_give_another_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = binaries.path(tmp_path, "coredns")
    other = binaries.path(tmp_path, "pause")
    monkeypatch.setattr(go_toolchain, "version", lambda _: "go1.99.1")
    binaries._key.cache_clear()

    assert before.name == "coredns"
    assert before.parent != other.parent
    assert binaries.path(tmp_path, "coredns") != before


def test_an_interrupted_build_continues_with_the_missing_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []

    def fake_run(argv: list[str], **options: dict[str, str]) -> str:
        package = argv[-1]
        calls.append(package)
        if len(calls) == 2:
            raise KeyboardInterrupt
        installed = package.removesuffix("/v3").rsplit("/", 1)[-1]
        (Path(options["env"]["GOBIN"]) / installed).write_text("program")
        return ""

    monkeypatch.setattr(binaries, "run", fake_run)
    monkeypatch.setattr(go_toolchain, "find", lambda _: Path("go"))
    names = ("kubectl", "etcd", "pause")
    with pytest.raises(KeyboardInterrupt):
        binaries.build(tmp_path, names)
    assert binaries.missing(tmp_path, names) == ["etcd", "pause"]

    built = binaries.build(tmp_path, names)

    assert calls[2:] == ["go.etcd.io/etcd/server/v3", "./cmd/pause"]
    assert all(path.read_text() == "program" for path in built.values())


def test_an_unknown_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="one of: coredns, etcd"):
        binaries.path(tmp_path, "emacs")
