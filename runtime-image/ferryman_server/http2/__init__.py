"""HTTP/2 without TLS (RFC 9113), as much of it as a server of small calls needs; it knows nothing of gRPC."""
