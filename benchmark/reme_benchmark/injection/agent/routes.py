"""Parses the routes of a pod, as /proc/PID/net/route shows them."""


def gateway(text: str) -> str:
    """Return the address of the default gateway; empty without one.

    Where each pod has a link of its own, it is the node's address, from which the kubelet probes.
    """
    for words in map(str.split, text.splitlines()[1:]):
        if len(words) > 3 and words[1] == "00000000" and words[2] != "00000000":
            return ".".join(str(part) for part in reversed(bytes.fromhex(words[2])))
    return ""


def device(text: str) -> str:
    """Return the interface of the default route."""
    for words in map(str.split, text.splitlines()[1:]):
        if len(words) > 1 and words[1] == "00000000":
            return words[0]
    return "eth0"
