//go:build tools

// Package tools names the programs that the local cluster builds, so that go.mod and go.sum cover them.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "istio.io/istio/pilot/cmd/pilot-discovery"
	_ "sigs.k8s.io/metrics-server/cmd/metrics-server"
)
