"""Invented names of systems and their parts; none occurs in the benchmark's systems."""

from collections.abc import Collection

from reme_lab.incidents.rng import Rng, Split

_TRAIN = [
    "ba",
    "be",
    "bi",
    "bo",
    "bra",
    "cal",
    "cor",
    "da",
    "del",
    "di",
    "dor",
    "el",
    "fa",
    "fen",
    "fi",
    "ga",
    "gar",
    "gi",
    "ha",
    "hel",
    "im",
    "ja",
    "jo",
    "ka",
    "kel",
    "ko",
    "la",
    "lin",
    "lo",
    "ma",
    "mer",
    "mi",
    "na",
    "nor",
    "nu",
    "or",
    "pa",
    "per",
    "pi",
    "ra",
    "ris",
    "ro",
    "sa",
    "sel",
    "so",
    "ta",
    "ter",
    "ti",
    "tu",
    "va",
    "ven",
    "vi",
    "wa",
    "wil",
    "yo",
    "za",
]
_TEST = [
    "bu",
    "cra",
    "dru",
    "fle",
    "gle",
    "hu",
    "ix",
    "jas",
    "klu",
    "lup",
    "moc",
    "nim",
    "oz",
    "plu",
    "quo",
    "rux",
    "stu",
    "tov",
    "uv",
    "vro",
    "wex",
    "yp",
    "zun",
]
_PLAIN_TRAIN = (  # noqa: SIM905 - a hundred lines otherwise
    "accounts alerts analytics answers articles assets auctions balance banner barcode "
    "basket batch blog bonus bookmarks bridge broker budget cache calendar campaign "
    "carrier chat clock collector comments compliance contracts converter courier crawler "
    "credit customers data deals devices digest discount documents donations downloads "
    "editor enrichment events exchange export factory feed filter finance flags forms "
    "fraud games gifts graph groups hosting identity images import index ingest inventory "
    "issues jobs journal keys label leads lessons library links listing logger login maps "
    "matching members messages metrics mobile monitor offers pages partners payroll "
    "permissions photos picture planner player portal posts print probe proxy queue "
    "ranking ratings reader receipts records redirect refunds registry relay reminder "
    "renderer replies reports reservation resolver rewards rules "
).split()
_PLAIN_TEST = (  # noqa: SIM905
    "safety sales sampler sandwich scanner scores screen search sender session shelf "
    "signals sitemap socket spool stats stock storage stream streets styles subscription "
    "suggest supplier support sync tags tasks tax teams templates tenants themes tiles "
    "timeline tokens tools topics tracking trades transfers translate uploads usage vault "
    "vendors video vision votes wallet warehouse weather webhook wishlist workflow "
    "workspace zones "
).split()
"""Names of services: one or two tokens each, which the base model knows. A model that only saw
names made of syllables misspells such words.
"""
_PLAIN_FORMS = (
    "{a}",
    "{a}",
    "{a}-service",
    "{a}-{b}",
    "{a}-{b}-service",
    "{a}service",
    "{p}-{a}-service",
    "{p}-{a}",
    "{a}-api",
    "{a}{b}",
)
_ENDS = (
    "",
    "",
    "",
    "-api",
    "-svc",
    "-web",
    "-worker",
    "-core",
    "-gate",
    "-hub",
    "-store",
    "er",
    "ly",
)
_KINDS = [
    "billing",
    "ledger",
    "invoice",
    "parcel",
    "depot",
    "roster",
    "booking",
    "ticketing",
    "tariff",
    "menu",
    "recipe",
    "catalogue",
    "loyalty",
    "coupon",
    "meter",
    "sensor",
    "telemetry",
    "archive",
    "media",
    "thumbnail",
    "transcoder",
    "geocoder",
    "router",
    "scheduler",
    "notifier",
    "mailer",
    "audit",
    "consent",
    "profile",
    "directory",
    "badge",
    "survey",
    "forecast",
    "pricing",
    "stocktake",
    "returns",
    "claims",
    "quotes",
    "fleet",
    "dispatch",
    "dock",
    "berth",
]
_CONTAINERS = [
    "app",
    "api",
    "web",
    "svc",
    "worker",
    "core",
    "backend",
    "process",
    "engine",
    "daemon",
]
_NAMESPACES = [
    "prod",
    "staging",
    "team-{w}",
    "{w}",
    "{w}-prod",
    "{w}-stage",
    "env-{w}",
    "apps-{w}",
    "{w}-live",
    "platform-{w}",
]
_REGISTRIES = ("", "", "", "registry.{w}.example/", "{w}/", "ghcr.example/{w}/", "cr.{w}.internal/")
_VARIABLES = [
    "UPSTREAM_URL",
    "BACKEND_ADDR",
    "STORE_HOST",
    "CACHE_URL",
    "QUEUE_HOST",
    "PEER_URL",
    "LEDGER_ADDR",
    "INDEX_HOST",
    "GATEWAY_URL",
    "BROKER_ADDR",
]
_TUNABLES = [
    "POOL_SIZE",
    "MAX_CONNS",
    "WORKER_COUNT",
    "BATCH_SIZE",
    "HEAP_MB",
    "QUEUE_DEPTH",
    "IDLE_SECONDS",
    "PAGE_SIZE",
    "CACHE_ENTRIES",
    "FLUSH_INTERVAL",
    "SHARD_COUNT",
    "LIMIT_RPS",
    "THREADS",
    "BUFFER_KB",
]
_FLAGS = [
    "LOG_LEVEL",
    "TZ",
    "LANG_DEFAULT",
    "REGION_CODE",
    "TENANCY",
    "THEME",
    "CURRENCY",
    "RELEASE_RING",
]


def word(rng: Rng, syllables: int = 0) -> str:
    """Return an invented word."""
    pool = _TEST if rng.split is Split.TEST else _TRAIN
    return "".join(rng.choice(pool) for _ in range(syllables or rng.integer(2, 3)))


def workload(rng: Rng) -> str:
    """Return the name of a workload and its Service."""
    if rng.chance(45):
        return _plain(rng)
    if rng.chance(45):
        return f"{rng.choice(_KINDS)}-{word(rng, rng.integer(1, 2))}"
    return word(rng) + rng.choice(_ENDS)


def _plain(rng: Rng) -> str:
    pool = _PLAIN_TEST if rng.split is Split.TEST else _PLAIN_TRAIN
    values = {"a": rng.choice(pool), "b": rng.choice(pool), "p": word(rng, 1)}
    return rng.choice(_PLAIN_FORMS).format(**values)


def other_workload(rng: Rng, taken: Collection[str]) -> str:
    """Return the name of a workload other than those."""
    while (name := workload(rng)) in taken:
        pass
    return name


def namespace(rng: Rng) -> str:
    """Return the name of a namespace."""
    return rng.choice(_NAMESPACES).replace("{w}", word(rng, 2))


def container(rng: Rng, name: str) -> str:
    """Return the name of a container."""
    return name if rng.chance(35) else rng.choice(_CONTAINERS)


def repository(rng: Rng, name: str) -> str:
    """Return an image without its tag."""
    return rng.choice(_REGISTRIES).replace("{w}", word(rng, 2)) + name


def tag(rng: Rng) -> str:
    """Return an image tag."""
    form = rng.integer(0, 4)
    if form == 0:
        return f"v{rng.integer(1, 60)}"
    if form == 1:
        return f"20{rng.integer(24, 27)}.{rng.integer(1, 12)}"
    if form == 2:
        return f"{rng.integer(1, 400)}-{rng.integer(0x1000, 0xFFFF):x}"
    return f"{rng.integer(0, 6)}.{rng.integer(0, 19)}.{rng.integer(0, 9)}"


def port(rng: Rng) -> int:
    """Return the port of a program."""
    return rng.choice(
        (3100, 4100, 4600, 6060, 6500, 7200, 7350, 7800, 8300, 8700, 9300)
    ) + rng.integer(0, 49)


def host_variable(rng: Rng) -> str:
    """Return the name of a variable for an address."""
    return rng.choice(_VARIABLES)


def tunable(rng: Rng) -> str:
    """Return the name of a variable for a number."""
    return rng.choice(_TUNABLES)


def flag(rng: Rng) -> str:
    """Return the name of a variable for a word."""
    return rng.choice(_FLAGS)


def setting(rng: Rng) -> str:
    """Return the name of a ConfigMap key; it differs from the names of all variables."""
    return f"{rng.choice(('APP', 'CFG', 'SVC'))}_{rng.choice((*_TUNABLES, *_FLAGS))}"


def pod_suffix(rng: Rng) -> str:
    """Return the suffix of a generated pod name."""
    return "".join(rng.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(5))


def template_hash(rng: Rng) -> str:
    """Return a pod-template-hash."""
    return "".join(rng.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(rng.integer(8, 10)))
