"""Services and Ingresses without a working backend."""

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import HANG_DIAGNOSES, RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import AllowedDifference, NumericSetting, is_one_of, rule
from reme_playbook.actions.ingress_backend import SetIngressBackend
from reme_playbook.actions.rollback import Rollback
from reme_playbook.actions.service import PatchServicePort, PatchServiceSelector


def selector_mismatch(rng: Rng, system: System) -> BrokenSystem:
    """The Service selects labels that no pod has."""
    end = rng.parameter(("-next", "-new", "-a", "-stable", "-main", "-b", "-preview", "-shadow"))
    wrong = system.name + end if rng.chance(70) else system.name[:-1] or "x"
    system.service["selector"] = {"app": wrong}
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=("{name} [without backends|service empty|endpoints 0]",),
        wrong_diagnoses=HANG_DIAGNOSES,
        evidence=(
            EvidenceText(
                "Metric", "prometheus", "[kube_endpoint_address_available|endpoints] of {name} 0"
            ),
            EvidenceText("Log", "gateway", "no [upstream|backend] for {name}"),
        ),
        user_impact="refused",
        repairs=((expect(PatchServiceSelector),),),
        useless_repairs=(RESTART, ROLL_BACK, SCALE),
        text_values={"wrong": wrong},
    )


def wrong_target_port(rng: Rng, system: System) -> BrokenSystem:
    """The Service's target port is not open."""
    wrong = system.port + rng.parameter((1, 2, 3, 10, 100, 5, 11, 80))
    system.service["ports"][0]["targetPort"] = wrong
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=("{name} [refused|ECONNREFUSED|not reachable]",),
        wrong_diagnoses=HANG_DIAGNOSES,
        evidence=(
            EvidenceText("Log", "gateway", "connect {name}: ECONNREFUSED"),
            EvidenceText("Text", "Service/{name}", "targetPort {wrong}"),
        ),
        user_impact="refused",
        repairs=((expect(PatchServicePort, port=system.service_port, target_port=system.port),),),
        useless_repairs=(RESTART, ROLL_BACK, SCALE),
        text_values={"port": system.service_port, "wrong": wrong, "right": system.port},
    )


def black_hole(rng: Rng, system: System) -> BrokenSystem:
    """The program and its probe moved to another port; the Service did not."""
    moved = system.port + rng.parameter((1, 2, 3, 10, 100, 5, 11, 80))

    variable = rng.choice(("LISTEN", "HTTP_PORT", "SERVER_PORT"))

    def change(_: Json, main: Json) -> None:
        main["ports"] = [{"name": "moved", "containerPort": moved}]
        main["readinessProbe"]["httpGet"]["port"] = moved
        main.pop("livenessProbe", None)
        system.set_env(variable, str(moved))

    system.roll_out(change)
    system.replace_all()
    return BrokenSystem(
        system,
        fault_types=("black-holed-endpoint", "black-hole", "port-mismatch", "stale-service-port"),
        summaries=(
            "{name} moved to port {moved}, [its Service did not|the Service still leads to {old}].",
            "[All|The] endpoints of {name} are [ready|green], yet [connections|calls] are refused.",
        ),
        terse_summaries=("{name} [ready but refused|refused, all pods up]",),
        wrong_diagnoses=HANG_DIAGNOSES[:2],
        evidence=(
            EvidenceText("Log", "Pod/{pod}/{container}", "[listening on|bound to] :{moved}"),
            EvidenceText("Log", "gateway", "connect {name}:{old}: refused"),
        ),
        user_impact="refused",
        repairs=(
            (expect(PatchServicePort, port=system.service_port, target_port=moved),),
            ROLL_BACK,
        ),
        useless_repairs=(RESTART, SCALE),
        effects=FaultEffects(
            numeric_settings=(NumericSetting("port", variable),),
            allowed_differences=(
                AllowedDifference("Service", system.name, "spec.ports"),
                AllowedDifference(system.kind, system.name, "spec.template"),
            ),
        ),
        text_values={"moved": moved, "old": system.port, "pod": system.pods[0].name},
    )


def two_faults(rng: Rng, system: System) -> BrokenSystem:
    """A bad version, and a Service that does not select its pods."""
    end = rng.parameter(("-next", "-a", "-stable", "-main", "-b", "-shadow"))
    system.service["selector"] = {"app": system.name + end}
    image = f"{system.main_container['image'].rpartition(':')[0]}:{names.tag(rng)}"
    system.roll_out(lambda _, main: main.update(image=image))
    system.replace_all()
    return BrokenSystem(
        system,
        fault_types=("two-faults", "no-endpoints", "multiple-faults", "service-broken"),
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
        terse_summaries=("{name} [no backends, and 5xx before|broken twice]",),
        evidence=(
            EvidenceText("Metric", "prometheus", "endpoints of {name} 0"),
            EvidenceText(
                "Log", "Pod/{pod}/{container}", "[unhandled exception|panic] in [handler|request]"
            ),
        ),
        user_impact="refused",
        repairs=((expect(PatchServiceSelector), expect(Rollback)),),
        useless_repairs=(RESTART, SCALE),
        effects=FaultEffects(rules=(rule(is_one_of("image", image), error_percent=80),)),
        text_values={"pod": system.pods[0].name},
    )


def wrong_ingress(rng: Rng, system: System) -> BrokenSystem:
    """The Ingress routes to a Service that does not exist."""
    wrong = system.name + rng.parameter(
        ("-v1", "-legacy", "2", "-prev", "-tmp", "-bak", "-retired", "s")
    )
    host = f"{names.word(rng)}.{rng.choice(('test', 'example', 'internal'))}"
    path = rng.choice(("/", "/", f"/{names.word(rng, 2)}", "/api"))
    backend = {"service": {"name": wrong, "port": {"number": system.service_port}}}
    if rng.chance(25):
        wrong = system.name
        backend = {
            "service": {"name": wrong, "port": {"number": system.service_port + rng.integer(1, 30)}}
        }
    name = system.name if rng.chance(70) else f"{system.name}-edge"
    key = system.object_ref("Ingress", name)
    right = {"service": {"name": system.name, "port": {"number": system.service_port}}}

    def routed(to: Json) -> Json:
        paths = [{"path": path, "pathType": "Prefix", "backend": to}]
        spec = {"rules": [{"host": host, "http": {"paths": paths}}]}
        return {"metadata": {"name": name, "namespace": system.namespace}, "spec": spec}

    system.related_objects[key], system.healthy_related_objects[key] = (
        routed(backend),
        routed(right),
    )
    return BrokenSystem(
        system,
        fault_types=(
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
        terse_summaries=("{host} [503|down|not routed]",),
        wrong_diagnoses=(
            ("overload", "{name} [has|returns] 503 [because it is busy|under load]."),
            ("hang", "{name} hangs behind {host}."),
        ),
        evidence=(
            EvidenceText(
                "Log", "ingress controller", "[service not found|no endpoints] for {wrong}"
            ),
            EvidenceText("Metric", "edge", "503 share 100% on {host}"),
        ),
        repairs=((expect(SetIngressBackend, name, service=system.name),),),
        useless_repairs=(RESTART, ROLL_BACK, SCALE),
        effects=FaultEffects(ingress=name, path=path),
        text_values={"host": host, "wrong": wrong, "ingress": name},
    )


FAULTS: dict[str, FaultMaker] = {
    "selector-mismatch": selector_mismatch,
    "wrong-target-port": wrong_target_port,
    "black-holed-endpoint": black_hole,
    "two-faults": two_faults,
    "wrong-ingress-backend": wrong_ingress,
}
