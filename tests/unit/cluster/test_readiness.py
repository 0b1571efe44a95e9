from typing import Any

import pytest

from reme_cluster.host import dns
from reme_cluster.readiness import is_ready


def node(status: str, heartbeat: str) -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}
    return {"metadata": {"name": "n"}, "status": {"conditions": [condition]}}


def test_a_report_before_the_start_does_not_count() -> None:
    ready = node("True", "1970-01-01T00:01:40Z")

    assert is_ready(ready)
    assert is_ready(ready, since=100.9)
    assert not is_ready(ready, since=101)
    assert not is_ready(node("False", "1970-01-01T00:01:40Z"))
    assert not is_ready({"status": {}})


def test_a_query_is_encoded_as_the_standard_says() -> None:
    assert dns.query(1, "a.bc") == (
        b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x02bc\x00\x00\x01\x00\x01"
    )


@pytest.mark.parametrize(
    ("reply", "good"),
    [
        (b"\x00\x07\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", True),
        (b"\x00\x08\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", False),  # another question's
        (b"\x00\x07\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00", False),  # no such name
        (b"\x00\x07\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00", False),  # no address
        (b"", False),
    ],
)
def test_only_a_reply_to_the_query_with_an_address_is_a_success(reply: bytes, good: bool) -> None:
    assert dns.is_success(7, reply) is good
