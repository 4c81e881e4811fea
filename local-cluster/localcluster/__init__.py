"""A real Kubernetes with Istio on this machine, for the demo and the tests: from source, or in kind."""
