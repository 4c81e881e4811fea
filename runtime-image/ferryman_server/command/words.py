"""A pod's words for a person at their own machine: what an operator would be told to do, they do otherwise."""

from ferryman_server.reason import FatalError

_HERE = {
    "trust the source in the chart's values": "add --allow-pickle if you trust who made it",
    "build a server image with it": "install it here",
    "name the Secret that has them": "set them",
    "check the credentials in the Secret and the bucket's policy": "check your credentials and the bucket's policy",
    "check the pod's MLflow credentials": "check your MLflow credentials",
    "and that the pod's network reaches it": "and that it can be reached from here",
    "and that the pod's network may reach it": "and that it can be reached from here",
    "it needs access that this pod has not": "it needs access that you have not",
    "free it, or set FERRYMAN_PORT": "free it, or use --port",
    "or set the format": "or add --format",
}


def told(error: FatalError) -> str:
    """The sentence, with what can be done here."""
    said = error.message
    for there, here in _HERE.items():
        said = said.replace(there, here)
    return said
