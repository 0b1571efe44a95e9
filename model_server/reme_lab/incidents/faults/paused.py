"""Rollouts that wait for somebody: a pause, a job that is on hold."""

import copy

from reme_lab.incidents import names
from reme_lab.incidents.broken_system import Clue, Hidden, Incident, Maker, wish
from reme_lab.incidents.faults.common import BACK, RESTART, SCALE
from reme_lab.incidents.rng import Draw
from reme_lab.incidents.system import Json, System
from reme_lab.simulator import is_one_of, rule
from reme_playbook.actions.registry import ResumeJob, ResumeRollout


def paused_rollout(draw: Draw, system: System) -> Incident | None:
    """The correction is in the template, and the rollout is paused."""
    if system.kind != "Deployment":
        return None
    variable, bad = (
        names.flag(draw),
        draw.parameter(("chaos", "slow", "faulty", "half", "dry", "null", "lossy", "beta")),
    )
    fixed = copy.deepcopy(system.template)
    system.roll(lambda _, __: system.set_env(variable, bad))
    system.replace_all()
    broken = system.pods
    system.roll(lambda template, _: template.update(copy.deepcopy(fixed)))
    if draw.chance(50):
        image = f"{system.main['image'].rpartition(':')[0]}:{names.tag(draw)}"
        system.main["image"] = image
    system.pods, system.paused = broken, True
    return Incident(
        system,
        types=(
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
        terse=("{name} [5xx|errors|old pods still there]",),
        astray=(
            ("bad-rollout", "{name} [errors|fails], [undo|revert] its [newest|last] release."),
            ("bad-version", "The [build|version] of {name} is bad."),
            ("overload", "{name} [errors|fails] under load."),
        ),
        clues=(
            Clue("Text", "Deployment/{name}", "[DeploymentPaused|Progressing unknown: paused]"),
            Clue("Metric", "gateway", "5xx share {share}%"),
        ),
        felt="errors",
        repairs=((wish(ResumeRollout),),),
        useless=(RESTART, SCALE, BACK),
        hidden=Hidden(rules=(rule(is_one_of(variable, bad), error_percent=80),)),
        values={"share": draw.number(30, 100)},
    )


def suspended_job(draw: Draw, system: System) -> Incident:
    """New pods wait for a job that is suspended."""
    work = ("migrate", "schema", "bootstrap", "import", "prepare", "loader", "backfill", "setup")
    job = f"{system.name}-{draw.parameter(work)}"

    def change(template: Json, _: Json) -> None:
        template["spec"]["initContainers"] = [
            {
                "name": f"await-{job.rpartition('-')[2]}",
                "image": "waiter:1",
                "command": ["wait-for", f"job/{job}"],
            }
        ]

    system.roll(change)
    system.stick(
        ready=False, phase="Pending", state={"state": {"waiting": {"reason": "PodInitializing"}}}
    )
    system.around[system.other("Job", job)] = {
        "metadata": {"name": job, "namespace": system.namespace},
        "spec": {"suspend": True},
        "status": {"conditions": [{"type": "Suspended", "status": "True"}]},
    }
    return Incident(
        system,
        types=(
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
        terse=("{name} [init stuck|rollout hangs|waits in init]",),
        astray=(
            ("node-pressure", "{name} does not start, [the node|its node] is [too busy|starved]."),
            ("image-pull-error", "{name} waits for its image."),
        ),
        clues=(
            Clue("Log", "Pod/{pod}/init", "[waiting|still waiting] for job {job}"),
            Clue("Text", "Job/{job}", "[suspended|Suspended=True]"),
        ),
        felt="" if any(p.ready for p in system.pods) else "refused",
        repairs=((wish(ResumeJob, job),), BACK),
        useless=(RESTART, SCALE),
        values={"job": job, "pod": system.pods[-1].name},
    )


FAULTS: dict[str, Maker] = {
    "paused-rollout": paused_rollout,
    "suspended-job": suspended_job,
}
