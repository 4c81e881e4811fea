"""Real etcd, kube-apiserver and kube-controller-manager; the operator as a process with the chart's rights."""
