"""Resolves a name with the cluster's DNS from the host, which proves pods, services and routes."""

import secrets
import socket
import struct

_NAME = "kubernetes.default.svc.cluster.local"
_PORT = 53
_TYPE_A = 1
_CLASS_IN = 1
_HEADER = struct.Struct("!6H")


def answers(server: str, *, timeout_seconds: float = 1) -> bool:
    """Return whether the server resolves the API server's service."""
    query_id = secrets.randbelow(1 << 16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.settimeout(timeout_seconds)
        try:
            connection.connect((server, _PORT))
            connection.send(query(query_id, _NAME))
            reply = connection.recv(512)
        except OSError:
            return False
    return is_success(query_id, reply)


def query(query_id: int, name: str) -> bytes:
    """Return a DNS query for the address of a name."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    recursion_desired = 0x0100
    header = _HEADER.pack(query_id, recursion_desired, 1, 0, 0, 0)
    return header + labels + b"\0" + struct.pack("!2H", _TYPE_A, _CLASS_IN)


def is_success(query_id: int, reply: bytes) -> bool:
    """Return whether a reply belongs to the query and holds an answer."""
    if len(reply) < _HEADER.size:
        return False
    replied_id, flags, _, answer_count, _, _ = _HEADER.unpack_from(reply)
    return bool(replied_id == query_id and flags & 0x000F == 0 and answer_count > 0)
