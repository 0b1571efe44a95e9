"""The command line of `python -m reme_cluster`, and the choice of the provider."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import binaries, progress
from reme_cluster.errors import ClusterError, NotUpError, PrerequisiteError
from reme_cluster.files import read_json
from reme_cluster.host.provider import HostProvider
from reme_cluster.kind import KindProvider, docker_answers
from reme_cluster.provider import Provider, UpOptions
from reme_cluster.settings import Settings

PROVIDERS = ("auto", "host", "kind")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see `errors.py`)."""
    options = _parser().parse_args(arguments)
    try:
        settings = Settings.resolve(options.name, options.state_dir, options.cache)
        code: int = options.run(options, settings)
    except PrerequisiteError as error:
        progress.say(f"\nThis machine lacks:\n{error}\nNothing was started.")
        return error.exit_code
    except ClusterError as error:
        progress.say(f"\nerror: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        progress.say("\ninterrupted: run the same command again to continue")
        return 130
    except BrokenPipeError:
        # The reader of the output has ended, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        progress.say(f"\nerror: {error}")
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reme-cluster", description="A Kubernetes cluster with one command."
    )
    parser.set_defaults(name=None, state_dir=None, cache=None, provider="auto")
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--name", help="the cluster's name (default: reme)")
    common.add_argument("--state-dir", help="holds one directory per cluster ($REME_CLUSTER_STATE)")
    common.add_argument("--cache", help="holds built programs ($REME_CACHE)")
    common.add_argument("--provider", choices=PROVIDERS, help="what makes the cluster")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, parents=[common], help=text, description=text)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "start the cluster, or repair it")
    up.add_argument("--nodes", type=int, help="number of nodes (default: 1, or as many as it has)")
    up.add_argument("--subnet", help="a /16 for nodes, pods and services (default: a free one)")
    up.add_argument(
        "--audit-log",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="record every change made through the API server",
    )
    up.add_argument(
        "--metrics", action="store_true", help="also wait for `kubectl top`, about 10 s more"
    )
    up.add_argument("--timeout", type=int, default=300, help="seconds for each step to work")
    command("down", _down, "remove the cluster and all of its files")
    status = command("status", _status, "show the cluster's status; exit code 1 if it does not run")
    status.add_argument("--json", action="store_true", help="print JSON")
    command("kubeconfig", _kubeconfig, "print the path of the kubeconfig")
    load = command("load", _load, "load images into every node")
    load.add_argument("images", nargs="+", metavar="IMAGE", help="an archive, or a local name")
    logs = command("logs", _logs, "print or collect logs")
    logs.add_argument("component", nargs="?", metavar="COMPONENT", help="such as kubelet")
    logs.add_argument("--lines", type=int, default=100, help="lines of each (default: 100)")
    logs.add_argument("--to", type=Path, metavar="DIR", help="write everything to a directory")
    command("build", _build, "only build the programs")
    program = command("bin", _bin, "print the path of a program, building it if needed")
    program.add_argument("program", choices=sorted(binaries.BINARIES))
    program.add_argument("--no-build", action="store_true", help="fail if it is not built yet")
    return parser


def choose_provider(settings: Settings, requested: str = "auto") -> Provider:
    """Return the provider of this cluster.

    That is the one which made it, or else the requested one; `auto` is kind where a Docker
    engine answers, or else this host.

    Raises:
        ClusterError: the cluster exists with another provider than the requested one.
    """
    recorded = (read_json(settings.state_dir / "cluster.json") or {}).get("provider")
    if recorded and requested not in ("auto", recorded):
        raise ClusterError(
            f"cluster {settings.name} exists with provider {recorded}: run `down` first"
        )
    name = recorded or requested
    if name == "auto":
        name = "kind" if docker_answers() else "host"
    return KindProvider(settings) if name == "kind" else HostProvider(settings)


def _provider(options: argparse.Namespace, settings: Settings) -> Provider:
    return choose_provider(settings, options.provider)


def _up(options: argparse.Namespace, settings: Settings) -> int:
    start = time.monotonic()
    provider = _provider(options, settings)
    progress.say(f"cluster {settings.name} in {settings.state_dir}")
    up_options = UpOptions(
        nodes=options.nodes,
        subnet=options.subnet,
        audit_log=options.audit_log,
        metrics=options.metrics,
        timeout_seconds=options.timeout,
    )
    provider.up(up_options)
    progress.say(f"up after {progress.duration(time.monotonic() - start)}; to use it:")
    progress.say(f"  export KUBECONFIG={provider.kubeconfig}")
    return 0


def _down(options: argparse.Namespace, settings: Settings) -> int:
    _provider(options, settings).down()
    return 0


def _status(options: argparse.Namespace, settings: Settings) -> int:
    status = _provider(options, settings).status()
    print(json.dumps(status.as_json(), indent=2) if options.json else status.as_text())
    return 0 if status.running else 1


def _kubeconfig(options: argparse.Namespace, settings: Settings) -> int:
    path = _provider(options, settings).kubeconfig
    if not path.exists():
        raise NotUpError(f"no cluster {settings.name} in {settings.state_root}: run `up` first")
    print(path)
    return 0


def _load(options: argparse.Namespace, settings: Settings) -> int:
    _provider(options, settings).load(options.images)
    return 0


def _logs(options: argparse.Namespace, settings: Settings) -> int:
    provider = _provider(options, settings)
    if options.to:
        provider.collect(options.to)
        progress.say(f"written to {options.to}")
    else:
        print(provider.logs(options.component, options.lines))
    return 0


def _build(_: argparse.Namespace, settings: Settings) -> int:
    binaries.build(settings.cache, binaries.HOST_BINARIES)
    return 0


def _bin(options: argparse.Namespace, settings: Settings) -> int:
    if options.no_build and binaries.missing(settings.cache, (options.program,)):
        raise ClusterError(f"{options.program} is not built yet: run `build`")
    print(binaries.build(settings.cache, (options.program,))[options.program])
    return 0
