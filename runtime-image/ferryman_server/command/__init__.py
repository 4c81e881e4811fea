"""The server by itself, on somebody's own machine: flags in place of a pod's environment, and words for a person."""
