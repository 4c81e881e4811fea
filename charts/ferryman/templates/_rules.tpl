{{- /* What the operator may do, each line with what it is for. There is no verb on Secrets. */ -}}

{{- define "ferryman.rules" -}}
# what users wish for: read, never written
- apiGroups: [ferryman.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch]
# what the operator answers: written whole
- apiGroups: [ferryman.dev]
  resources: [modeldeployments/status]
  verbs: [update]
# clusters that enforce permissions on owner references ask for this before a child may name its owner
- apiGroups: [ferryman.dev]
  resources: [modeldeployments/finalizers]
  verbs: [update]
# the children of a ModelDeployment: server-side apply is create or patch; get tells a stranger's object from ours
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
# numbers of pods, set as an autoscaler sets them
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.istio.io]
  resources: [destinationrules]
  verbs: [get, list, watch, create, patch, delete]
# the route goes with its owner alone
- apiGroups: [networking.istio.io]
  resources: [virtualservices]
  verbs: [get, list, watch, create, patch]
# why a revision's pods are not ready
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
# what people are told in kubectl describe, and what the kubelet tells there alone
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list]
{{- end -}}

{{- define "ferryman.leaseRules" -}}
# by which one operator acts and the others know it; a name cannot be given for what is to be created
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "ferryman.fullname" . }}]
  verbs: [get, update]
{{- end -}}

{{- define "ferryman.clusterRules" -}}
# whether a candidate's pods find room, told beforehand; an operator for some namespaces does without
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end -}}
