"""The command line of the local cluster: python -m localcluster up|down|status|build|images|kubeconfig."""
import sys, rich.console
from localcluster import source, progress
if sys.argv[1]=="up":
    with progress.Board(rich.console.Console()) as b: source.up(b)
else: source.down()
