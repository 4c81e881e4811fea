"""The command line of the local cluster: up, down, status, build, images, kubeconfig."""

import argparse
import sys
import time

import rich.console
import rich.markup

from localcluster import binaries, cluster, driver, errors, flow, images, kind, paths, progress, source, status


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; 0 where it is done, 1 with a sentence where it cannot be."""
    asked = _parser().parse_args(arguments)
    console = rich.console.Console(soft_wrap=True)
    try:
        return _do(asked, console)
    except errors.ClusterError as error:
        console.print(f"[red]✗[/] {rich.markup.escape(str(error))}", highlight=False)
    except KeyboardInterrupt:
        console.print("interrupted; run it again to go on from here, or make cluster-down to clear it away")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="bring the cluster up, or what of it does not run")
    up.add_argument("--images", action="store_true", help="build and load the project's images on the way")
    up.add_argument("--apiserver-arg", action="append", default=[], help="one more flag for kube-apiserver")
    verbs.add_parser("down", help="end it and remove every trace but the cache")
    verbs.add_parser("status", help="each component, its memory and processor time")
    verbs.add_parser("build", help="compile what is not in the cache")
    verbs.add_parser("images", help="build the project's images and bring them into the cluster")
    verbs.add_parser("kubeconfig", help="print the kubeconfig's path")
    return parser


def _do(asked: argparse.Namespace, console: rich.console.Console) -> int:
    began = time.monotonic()
    match asked.verb:
        case "up":
            with progress.Board(console) as board:
                wanted = images.OURS if asked.images else ()
                chosen = cluster.up(board, wanted, tuple(asked.apiserver_arg))
            if chosen is driver.Driver.SOURCE:
                console.print(status.table(status.usages(seconds=0.5)))
            console.print(f"the cluster ({chosen}) serves after {time.monotonic() - began:.0f} s;", highlight=False)
            console.print(f"  gateway    {cluster.GATEWAY_URL}  (send the Host header that your route names)")
            console.print(f"  kubectl    {binaries.path('kubectl')}")
            console.print(f"  helm       {binaries.path('helm')}")
            console.print("  tear down  make cluster-down")
            console.print(f"export KUBECONFIG={paths.kubeconfig()}", highlight=False)
        case "down":
            cluster.down()
            console.print(
                f"the cluster is gone ({time.monotonic() - began:.0f} s); its cache stays in {paths.cache()}"
            )
        case "status":
            return _status(console)
        case "build":
            steps = source.build_steps() if cluster.current() is driver.Driver.SOURCE else kind.build_steps()
            with progress.Board(console) as board:
                flow.run(steps, board)
            console.print(f"everything is built, in {paths.cache()}")
        case "images":
            with progress.Board(console) as board:
                cluster.load(board, images.OURS)
            for image in images.OURS:
                console.print(f"{image.reference} is in the cluster", highlight=False)
        case "kubeconfig":
            sys.stdout.write(f"{cluster.kubeconfig()}\n")
        case _:  # argparse lets no other verb through
            raise AssertionError(asked.verb)
    return 0


def _status(console: rich.console.Console) -> int:
    cluster.kubeconfig()
    if cluster.current() is driver.Driver.KIND:
        console.print(f"kind cluster {kind.CLUSTER}: {'there' if kind.exists() else 'missing'}")
        return 0 if kind.exists() else 1
    rows = status.usages(seconds=3)
    console.print(status.table(rows))
    console.print(status.node_line(), highlight=False)
    return 1 if status.missing(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
