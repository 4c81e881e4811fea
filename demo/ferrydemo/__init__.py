"""The day of a user, on a real cluster: what `make demo` shows and the cluster tests stand on."""
