"""What goes wrong in ways that a person can act on."""


class ClusterError(Exception):
    """Names the object, the fact and the next move; the command line prints it without a traceback."""
