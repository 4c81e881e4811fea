"""HTTP on top of the data plane: thin, one file a protocol, no framework."""
