"""Services and Ingresses that lead to nobody."""

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import BACK, HANGS, RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import AllowedDifference, NumericSetting, is_one_of, rule
from reme_playbook.actions.registry import (
    PatchServicePort,
    PatchServiceSelector,
    Rollback,
    SetIngressBackend,
)


def selector_mismatch(draw: Draw, system: System) -> Incident:
    """A Service selects labels that no pod has."""
    end = draw.parameter(("-next", "-new", "-a", "-stable", "-main", "-b", "-preview", "-shadow"))
    wrong = system.name + end if draw.chance(70) else system.name[:-1] or "x"
    system.service["selector"] = {"app": wrong}
    return Incident(
        system,
        types=(
            "selector-mismatch",
            "no-endpoints",
            "empty-service",
            "service-without-pods",
            "wrong-selector",
        ),
        summaries=(
            (
                "Service {name} [selects|looks for] app={wrong}; [no pod has that|pods are "
                "app={name}]."
            ),
            (
                "[Nobody|No caller] [reaches|gets to] {name}: its Service has [no "
                "backends|an empty endpoint list]."
            ),
        ),
        terse=("{name} [without backends|service empty|endpoints 0]",),
        astray=HANGS,
        clues=(
            Clue("Metric", "prometheus", "[kube_endpoint_address_available|endpoints] of {name} 0"),
            Clue("Log", "gateway", "no [upstream|backend] for {name}"),
        ),
        felt="refused",
        repairs=((wish(PatchServiceSelector),),),
        useless=(RESTART, BACK, SCALE),
        values={"wrong": wrong},
    )


def wrong_target_port(draw: Draw, system: System) -> Incident:
    """A Service leads to a port at which nobody listens."""
    wrong = system.port + draw.parameter((1, 2, 3, 10, 100, 5, 11, 80))
    system.service["ports"][0]["targetPort"] = wrong
    return Incident(
        system,
        types=(
            "wrong-target-port",
            "wrong-port",
            "port-mismatch",
            "connection-refused",
            "target-port",
        ),
        summaries=(
            (
                "[Port {port}|The port] of Service {name} [leads|points|forwards] to "
                "{wrong}, [the program is at|pods listen on] {right}."
            ),
            (
                "{name} [refuses|rejects] [every connection|all callers] [though|while] its "
                "pods are [fine|ready]."
            ),
        ),
        terse=("{name} [refused|ECONNREFUSED|not reachable]",),
        astray=HANGS,
        clues=(
            Clue("Log", "gateway", "connect {name}: ECONNREFUSED"),
            Clue("Text", "Service/{name}", "targetPort {wrong}"),
        ),
        felt="refused",
        repairs=((wish(PatchServicePort, port=system.service_port, target_port=system.port),),),
        useless=(RESTART, BACK, SCALE),
        values={"port": system.service_port, "wrong": wrong, "right": system.port},
    )


def black_hole(draw: Draw, system: System) -> Incident:
    """The program moved to another port with its probe, and the Service was left behind."""
    moved = system.port + draw.parameter((1, 2, 3, 10, 100, 5, 11, 80))

    variable = draw.one(("LISTEN", "HTTP_PORT", "SERVER_PORT"))

    def change(_: Json, main: Json) -> None:
        main["ports"] = [{"name": "moved", "containerPort": moved}]
        main["readinessProbe"]["httpGet"]["port"] = moved
        main.pop("livenessProbe", None)
        system.set_env(variable, str(moved))

    system.roll(change)
    system.replace_all()
    return Incident(
        system,
        types=("black-holed-endpoint", "black-hole", "port-mismatch", "stale-service-port"),
        summaries=(
            "{name} moved to port {moved}, [its Service did not|the Service still leads to {old}].",
            "[All|The] endpoints of {name} are [ready|green], yet [connections|calls] are refused.",
        ),
        terse=("{name} [ready but refused|refused, all pods up]",),
        astray=HANGS[:2],
        clues=(
            Clue("Log", "Pod/{pod}/{container}", "[listening on|bound to] :{moved}"),
            Clue("Log", "gateway", "connect {name}:{old}: refused"),
        ),
        felt="refused",
        repairs=((wish(PatchServicePort, port=system.service_port, target_port=moved),), BACK),
        useless=(RESTART, SCALE),
        hidden=Hidden(
            reads=(NumericSetting("port", variable),),
            may_differ=(
                AllowedDifference("Service", system.name, "spec.ports"),
                AllowedDifference(system.kind, system.name, "spec.template"),
            ),
        ),
        values={"moved": moved, "old": system.port, "pod": system.pods[0].name},
    )


def two_faults(draw: Draw, system: System) -> Incident:
    """A bad version, and a Service that selects none of its pods."""
    end = draw.parameter(("-next", "-a", "-stable", "-main", "-b", "-shadow"))
    system.service["selector"] = {"app": system.name + end}
    image = f"{system.main['image'].rpartition(':')[0]}:{names.tag(draw)}"
    system.roll(lambda _, main: main.update(image=image))
    system.replace_all()
    return Incident(
        system,
        types=("two-faults", "no-endpoints", "multiple-faults", "service-broken"),
        summaries=(
            (
                "[Two things|Two faults]: Service {name} [matches no pod|selects nothing], "
                "and [its new version|the new build] [returns 5xx|fails calls]."
            ),
            (
                "{name}: [selector off|selector wrong], [besides|on top of that] [the latest "
                "release|its upgrade] [is broken|errors]."
            ),
        ),
        terse=("{name} [no backends, and 5xx before|broken twice]",),
        clues=(
            Clue("Metric", "prometheus", "endpoints of {name} 0"),
            Clue(
                "Log", "Pod/{pod}/{container}", "[unhandled exception|panic] in [handler|request]"
            ),
        ),
        felt="refused",
        repairs=((wish(PatchServiceSelector), wish(Rollback)),),
        useless=(RESTART, SCALE),
        hidden=Hidden(rules=(rule(is_one_of("image", image), error_percent=80),)),
        values={"pod": system.pods[0].name},
    )


def wrong_ingress(draw: Draw, system: System) -> Incident:
    """An Ingress leads to a Service that is not there."""
    wrong = system.name + draw.parameter(
        ("-v1", "-legacy", "2", "-prev", "-tmp", "-bak", "-retired", "s")
    )
    host = f"{names.word(draw)}.{draw.one(('test', 'example', 'internal'))}"
    path = draw.one(("/", "/", f"/{names.word(draw, 2)}", "/api"))
    backend = {"service": {"name": wrong, "port": {"number": system.service_port}}}
    if draw.chance(25):
        wrong = system.name
        backend = {
            "service": {"name": wrong, "port": {"number": system.service_port + draw.number(1, 30)}}
        }
    name = system.name if draw.chance(70) else f"{system.name}-edge"
    key = system.other("Ingress", name)
    right = {"service": {"name": system.name, "port": {"number": system.service_port}}}

    def routed(to: Json) -> Json:
        paths = [{"path": path, "pathType": "Prefix", "backend": to}]
        spec = {"rules": [{"host": host, "http": {"paths": paths}}]}
        return {"metadata": {"name": name, "namespace": system.namespace}, "spec": spec}

    system.around[key], system.healthy_around[key] = routed(backend), routed(right)
    return Incident(
        system,
        types=(
            "wrong-ingress-backend",
            "wrong-route",
            "ingress-misrouted",
            "route-broken",
            "edge-503",
        ),
        summaries=(
            (
                "[From outside|Outside], {host} [gives|returns|is] 503: [its route|the "
                "Ingress] [ends at|points to] {wrong}."
            ),
            "Ingress {ingress} [leads|routes] [nowhere|to {wrong}].",
        ),
        terse=("{host} [503|down|not routed]",),
        astray=(
            ("overload", "{name} [has|returns] 503 [because it is busy|under load]."),
            ("hang", "{name} hangs behind {host}."),
        ),
        clues=(
            Clue("Log", "ingress controller", "[service not found|no endpoints] for {wrong}"),
            Clue("Metric", "edge", "503 share 100% on {host}"),
        ),
        repairs=((wish(SetIngressBackend, name, service=system.name),),),
        useless=(RESTART, BACK, SCALE),
        hidden=Hidden(ingress=name, path=path),
        values={"host": host, "wrong": wrong, "ingress": name},
    )


FAULTS: dict[str, Maker] = {
    "selector-mismatch": selector_mismatch,
    "wrong-target-port": wrong_target_port,
    "black-holed-endpoint": black_hole,
    "two-faults": two_faults,
    "wrong-ingress-backend": wrong_ingress,
}
