"""Ours beside its peers: `make bench-server`."""
