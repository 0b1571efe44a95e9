from ipaddress import IPv4Network
from pathlib import Path

import pytest

from reme_cluster.errors import ClusterError
from reme_cluster.files import write_json
from reme_cluster.host import cgroups, saved_state, subnets
from reme_cluster.provider import UpOptions
from reme_cluster.settings import Settings


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[IPv4Network]:
    networks: list[IPv4Network] = []
    monkeypatch.setattr(subnets, "in_use", lambda: networks)
    monkeypatch.setattr(cgroups, "pids", lambda _: [])
    return networks


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("demo", tmp_path, tmp_path / "cache")


def test_the_first_unused_subnet_is_chosen(tmp_path: Path, used: list[IPv4Network]) -> None:
    used.append(IPv4Network("10.160.3.0/24"))
    write_json(tmp_path / "stopped" / "cluster.json", {"subnet": "10.161.0.0/16"})
    write_json(tmp_path / "in-docker" / "cluster.json", {"provider": "kind"})

    assert str(subnets.choose(tmp_path)) == "10.162.0.0/16"


def test_no_unused_subnet_is_an_error(tmp_path: Path, used: list[IPv4Network]) -> None:
    used.append(IPv4Network("10.0.0.0/8"))

    with pytest.raises(ClusterError, match="--subnet"):
        subnets.choose(tmp_path)


def test_a_cluster_keeps_its_layout(settings: Settings, used: list[IPv4Network]) -> None:
    made = saved_state.decide_layout(
        settings, UpOptions(nodes=2, subnet="10.99.0.0/16", audit_log=True)
    )

    again = saved_state.decide_layout(settings, UpOptions())

    assert again == made
    assert again == saved_state.load(settings)
    assert saved_state.decide_layout(settings, UpOptions(nodes=3, audit_log=False)).node_count == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (UpOptions(nodes=1), "fewer"),
        (UpOptions(subnet="10.98.0.0/16"), "to change it"),
        (UpOptions(nodes=1000), "between 1 and"),
    ],
)
def test_changes_that_are_impossible_are_refused(
    settings: Settings, used: list[IPv4Network], options: UpOptions, message: str
) -> None:
    saved_state.decide_layout(settings, UpOptions(nodes=2))

    with pytest.raises(ClusterError, match=message):
        saved_state.decide_layout(settings, options)


@pytest.mark.parametrize(
    ("subnet", "message"),
    [
        ("10.7.0.0/16", "overlaps"),
        ("10.99.0.0/24", "a /16"),
        ("10.99.1.0/16", "host bits"),
        ("nonsense", "nonsense"),
    ],
)
def test_an_unusable_subnet_is_refused(
    settings: Settings, used: list[IPv4Network], subnet: str, message: str
) -> None:
    used.append(IPv4Network("10.7.9.0/24"))

    with pytest.raises(ClusterError, match=message):
        saved_state.decide_layout(settings, UpOptions(subnet=subnet))


def test_a_name_that_runs_from_another_directory_is_refused(
    settings: Settings, used: list[IPv4Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "pids", lambda _: [1])

    with pytest.raises(ClusterError, match="another --name"):
        saved_state.decide_layout(settings, UpOptions())
    assert saved_state.find(settings) is None
