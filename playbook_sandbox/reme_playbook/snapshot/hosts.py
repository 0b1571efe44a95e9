"""Recognises hosts in settings: by scheme, port, DNS form, or the name of the setting.

A word alone is no host, whatever Service has that name: `TARGET_ENV=production` names none. It is
one where the name of the setting says so, as in `DB_HOST=postgres`, or where an earlier value of
the same setting was the name of a Service.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_VALUE = 16_384
"""Characters of one setting that are read; the rest is ignored."""

_LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(
    r"(?<![\w.@:/%$})-])"
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,15}(?::[A-Za-z0-9]{1,15}){0,2})://"
    r"(?:[^\s/@,;\"'<>]{0,256}@)?)?"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL}){{0,8}})\.?"
    r"(?::(?P<port>[0-9]{1,5}))?(?![\w-])(?!\.\w)(?!@)(?!://)"
)
_FLAG = re.compile(r"--?(?P<name>[A-Za-z][\w.-]{0,62})(?:=(?P<value>.*))?", re.DOTALL)
_NAME_WORDS = re.compile(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]+")
_HINTS = frozenset(
    {
        "addr",
        "address",
        "addresses",
        "broker",
        "brokers",
        "endpoint",
        "endpoints",
        "host",
        "hostname",
        "hosts",
        "peer",
        "peers",
        "servers",
        "upstream",
        "upstreams",
        "uri",
        "uris",
        "url",
        "urls",
    }
)
# Addresses that the program itself has, or accepts.
_OWN = frozenset(
    {
        "advertise",
        "advertised",
        "allow",
        "allowed",
        "bind",
        "cors",
        "csrf",
        "email",
        "listen",
        "listener",
        "mail",
        "own",
        "pod",
        "public",
        "redirect",
        "self",
        "trusted",
    }
)
_NOT_HOSTS = frozenset(
    {
        "auto",
        "default",
        "disabled",
        "enabled",
        "false",
        "localhost",
        "no",
        "none",
        "null",
        "true",
        "yes",
    }
)
_IMAGES = frozenset({"image", "images", "tag", "version"})
_LOCAL = re.compile(r"localhost|127(?:\.[0-9]+){3}|0\.0\.0\.0")
_NUMBERS = re.compile(r"[0-9.]+")
_FIRST_PORT = 20
"""A smaller number behind a colon is no port: it is a tag or a ratio."""
_PORTS = {
    "http": 80,
    "https": 443,
    "grpc": 80,
    "redis": 6379,
    "rediss": 6379,
    "amqp": 5672,
    "mongodb": 27017,
    "mysql": 3306,
    "jdbc:mysql": 3306,
    "postgres": 5432,
    "postgresql": 5432,
    "jdbc:postgresql": 5432,
    "nats": 4222,
}


class Host(NamedTuple):
    """A host as a setting names it."""

    name: str  # with its domain, in lower case
    scheme: str = ""
    port: int | None = None  # as written, or the usual one of the scheme
    certain: bool = True  # False: it may be a key and a number in the text of a file


def hosts_in(setting: str, value: str, *, resolved: bool = False) -> tuple[Host, ...]:
    """Return the hosts that the value of a setting names, without local ones.

    `resolved` says that an earlier value of the setting was the name of a Service.
    """
    text = value[:MAX_VALUE]
    words = name_words(setting)
    if words & _IMAGES:
        return ()
    is_list = "\n" not in text.strip() and not text.lstrip().startswith(("{", "[", "<"))
    bare = is_list and (resolved or names_host(setting))
    return tuple(dict.fromkeys(_hosts(text, bare=bare, is_list=is_list)))


def hosts_of_words(words: Iterable[str]) -> tuple[Host, ...]:
    """Return the hosts that a command and its arguments name; `--db-host postgres` names one."""
    hosts: dict[Host, None] = {}
    flag = ""
    for word in words:
        match = _FLAG.fullmatch(word)
        name, value = (match["name"], match["value"]) if match else (flag, word)
        flag = name if match and value is None else ""
        hosts |= dict.fromkeys(hosts_in(name, value or ""))
    return tuple(hosts)


def name_words(name: str) -> frozenset[str]:
    """Return the words of a name such as `DB_HOST`, `db.host` or `dbHost`, in lower case."""
    return frozenset(word.lower() for word in _NAME_WORDS.findall(name[:256]))


def names_host(setting: str) -> bool:
    """Return whether the name of a setting says that its value is a host, such as `DB_HOST`."""
    words = [word.lower() for word in _NAME_WORDS.findall(setting[:256])]
    return bool(words) and words[-1] in _HINTS and not _OWN & set(words)


def _hosts(text: str, *, bare: bool, is_list: bool) -> Iterator[Host]:
    for match in _ADDRESS.finditer(text):
        name, scheme = match["host"].lower(), (match["scheme"] or "").lower()
        port = int(match["port"]) if match["port"] else None
        if _LOCAL.fullmatch(name) or name in _NOT_HOSTS:
            continue
        is_address = bool(scheme) or _is_cluster_name(name)
        if not is_address and _NUMBERS.fullmatch(name):
            continue
        if is_address or (bare and _is_part(text, match)):
            yield Host(name, scheme, port or _PORTS.get(scheme))
        elif port is not None and _FIRST_PORT <= port <= 65535:
            yield Host(name, "", port, certain=is_list and _is_part(text, match))


def _is_cluster_name(name: str) -> bool:
    return name.endswith((".svc", ".svc.cluster.local"))


def _is_part(text: str, match: re.Match[str]) -> bool:
    """Return whether the match is one whole entry of a list, with or without a path behind it."""
    before = text[max(match.start() - 2, 0) : match.start()]
    after = text[match.end() : match.end() + 2]
    starts = (match.start() <= 2 and not before.strip()) or before.strip().endswith((",", ";"))
    ends = match.end() >= len(text) - 2 and not after.strip()
    return starts and (ends or after.lstrip().startswith((",", ";", "/", "?")))
