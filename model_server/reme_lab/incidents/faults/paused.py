"""Rollouts that wait: paused, or for a suspended Job."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import (
    BrokenSystem,
    EvidenceText,
    FaultEffects,
    FaultMaker,
    expect,
)
from reme_lab.incidents.faults.common import RESTART, ROLL_BACK, SCALE
from reme_lab.incidents.rng import Rng
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.job import ResumeJob
from reme_playbook.actions.rollout import ResumeRollout


def paused_rollout(rng: Rng, system: System) -> BrokenSystem | None:
    """The template is corrected, but the rollout is paused."""
    if system.kind != "Deployment":
        return None
    variable, bad = (
        names.flag(rng),
        rng.parameter(("chaos", "slow", "faulty", "half", "dry", "null", "lossy", "beta")),
    )
    fixed = copy.deepcopy(system.template)
    system.roll_out(lambda _, __: system.set_env(variable, bad))
    system.replace_all()
    broken = system.pods
    system.roll_out(lambda template, _: template.update(copy.deepcopy(fixed)))
    if rng.chance(50):
        image = f"{system.main_container['image'].rpartition(':')[0]}:{names.tag(rng)}"
        system.main_container["image"] = image
    system.pods, system.paused = broken, True
    return BrokenSystem(
        system,
        fault_types=(
            "paused-rollout",
            "rollout-paused",
            "stale-pods",
            "fix-not-rolled-out",
            "deployment-paused",
        ),
        summaries=(
            (
                "[The fix|The correction|A corrected template] for {name} [waits|lies "
                "ready], [its rollout is on hold|the Deployment is paused]."
            ),
            (
                "{name} [still runs|keeps running] its [faulty|old|broken] pods[: paused|, "
                "the rollout is halted]."
            ),
        ),
        terse_summaries=("{name} [5xx|errors|old pods still there]",),
        wrong_diagnoses=(
            ("bad-rollout", "{name} [errors|fails], [undo|revert] its [newest|last] release."),
            ("bad-version", "The [build|version] of {name} is bad."),
            ("overload", "{name} [errors|fails] under load."),
        ),
        evidence=(
            EvidenceText(
                "Text", "Deployment/{name}", "[DeploymentPaused|Progressing unknown: paused]"
            ),
            EvidenceText("Metric", "gateway", "5xx share {share}%"),
        ),
        user_impact="errors",
        repairs=((expect(ResumeRollout),),),
        useless_repairs=(RESTART, SCALE, ROLL_BACK),
        effects=FaultEffects(rules=(rule(is_one_of(variable, bad), error_percent=80),)),
        text_values={"share": rng.integer(30, 100)},
    )


def suspended_job(rng: Rng, system: System) -> BrokenSystem:
    """New pods wait for a suspended Job."""
    work = ("migrate", "schema", "bootstrap", "import", "prepare", "loader", "backfill", "setup")
    job = f"{system.name}-{rng.parameter(work)}"

    def change(template: Json, _: Json) -> None:
        template["spec"]["initContainers"] = [
            {
                "name": f"await-{job.rpartition('-')[2]}",
                "image": "waiter:1",
                "command": ["wait-for", f"job/{job}"],
            }
        ]

    system.roll_out(change)
    system.stick_rollout(
        ready=False, phase="Pending", state={"state": {"waiting": {"reason": "PodInitializing"}}}
    )
    system.related_objects[system.object_ref("Job", job)] = {
        "metadata": {"name": job, "namespace": system.namespace},
        "spec": {"suspend": True},
        "status": {"conditions": [{"type": "Suspended", "status": "True"}]},
    }
    return BrokenSystem(
        system,
        fault_types=(
            "suspended-job",
            "job-suspended",
            "init-container",
            "waiting-for-job",
            "rollout-stuck",
        ),
        summaries=(
            "{name} waits for job {job}, [which is on hold|which nobody lets run|suspended].",
            (
                "[New pods|The new pod] of {name} [do not get past|are stuck in] "
                "initialization[: {job} does not run|]."
            ),
        ),
        terse_summaries=("{name} [init stuck|rollout hangs|waits in init]",),
        wrong_diagnoses=(
            ("node-pressure", "{name} does not start, [the node|its node] is [too busy|starved]."),
            ("image-pull-error", "{name} waits for its image."),
        ),
        evidence=(
            EvidenceText("Log", "Pod/{pod}/init", "[waiting|still waiting] for job {job}"),
            EvidenceText("Text", "Job/{job}", "[suspended|Suspended=True]"),
        ),
        user_impact="" if any(p.ready for p in system.pods) else "refused",
        repairs=((expect(ResumeJob, job),), ROLL_BACK),
        useless_repairs=(RESTART, SCALE),
        text_values={"job": job, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, FaultMaker] = {
    "paused-rollout": paused_rollout,
    "suspended-job": suspended_job,
}
