"""Brings systems up and down from the command line: `python -m reme_benchmark.scenarios.systems --help`."""  # noqa: E501

import argparse
import sys
import time

import yaml

from reme_benchmark.kube.kubectl import Kubectl, KubectlError
from reme_benchmark.scenarios.systems import catalog, deploy, render


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reme_benchmark.scenarios.systems",
        description="Systems to break and repair. KUBECONFIG says in which cluster.",
    )
    parser.add_argument("command", choices=("up", "down", "render", "status"))
    parser.add_argument("names", nargs="+", metavar="NAME", choices=(*catalog.names(), "all"))
    parser.add_argument("--namespace", help="the system's own name when not given")
    parser.add_argument("--flavour", choices=("workload", "upstream"), default="workload")
    parser.add_argument("--image", default=render.IMAGE, help="of the workload and the users")
    parser.add_argument("--no-users", action="store_true", help="without a load generator")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each system")
    return parser


def _run(options: argparse.Namespace) -> None:
    kubectl = Kubectl.from_environment()
    names = catalog.names() if "all" in options.names else tuple(options.names)
    if options.namespace and len(names) > 1:
        sys.exit("--namespace is for one system")
    for name in names:
        system = catalog.load(name)
        namespace = options.namespace or name
        begun = time.monotonic()
        if options.command == "render":
            objects = render.manifests(
                system, namespace, flavour=options.flavour, image=options.image
            )
            if not options.no_users:
                objects += render.users(
                    system, namespace, flavour=options.flavour, image=options.image
                )
            print(yaml.safe_dump_all(objects, sort_keys=False), end="")
        elif options.command == "up":
            deploy.up(
                kubectl,
                system,
                namespace,
                flavour=options.flavour,
                image=options.image,
                with_users=not options.no_users,
                timeout_seconds=options.timeout,
                show=lambda now, name=name, begun=begun: print(  # type: ignore[misc]
                    f"{name}: {now.ready} ready, {len(now.waiting)} to come, "
                    f"{time.monotonic() - begun:.0f} s",
                    flush=True,
                ),
            )
        elif options.command == "down":
            deploy.down(kubectl, namespace)
            print(f"{name}: gone, {time.monotonic() - begun:.0f} s", flush=True)
        else:
            now = deploy.progress(kubectl, namespace)
            print(f"{name}: {now.ready} ready, waiting for {', '.join(now.waiting) or 'none'}")
            if now.ready:
                print(f"{name}: {deploy.felt(kubectl, namespace)}")


def main() -> None:
    """Run one command; what went wrong is one line."""
    try:
        _run(_parser().parse_args())
    except (KubectlError, deploy.DeployError, ValueError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
