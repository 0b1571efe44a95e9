{{/*
reme.run.roles   the rules of each run role, by the end of its name; the same as RUN_ROLES in the
                 sandbox's code, which decides what a run is bound to
*/}}

{{- define "reme.run.roles" -}}
deployments:
  - {apiGroups: [apps], resources: [deployments], verbs: [get, patch]}
  - {apiGroups: [apps], resources: [replicasets], verbs: [list]}
  - {apiGroups: [apps], resources: [deployments/scale], verbs: [patch]}
statefulsets:
  - {apiGroups: [apps], resources: [statefulsets], verbs: [get, patch]}
  - {apiGroups: [apps], resources: [controllerrevisions], verbs: [list]}
  - {apiGroups: [apps], resources: [statefulsets/scale], verbs: [patch]}
daemonsets:
  - {apiGroups: [apps], resources: [daemonsets], verbs: [get, patch]}
  - {apiGroups: [apps], resources: [controllerrevisions], verbs: [list]}
services:
  - {apiGroups: [""], resources: [services], verbs: [get, patch]}
configmaps:
  - {apiGroups: [""], resources: [configmaps], verbs: [get, patch]}
pods:
  - {apiGroups: [""], resources: [pods], verbs: [get, delete]}
horizontalpodautoscalers:
  - {apiGroups: [autoscaling], resources: [horizontalpodautoscalers], verbs: [get, patch]}
resourcequotas:
  - {apiGroups: [""], resources: [resourcequotas], verbs: [get, patch]}
poddisruptionbudgets:
  - {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [get, patch]}
jobs:
  - {apiGroups: [batch], resources: [jobs], verbs: [get, patch]}
ingresses:
  - {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [get, patch]}
networkpolicies:
  - {apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [get, patch]}
{{- if include "reme.clusterWide" . }}
nodes:
  - {apiGroups: [""], resources: [nodes], verbs: [get, patch]}
{{- end }}
{{- end }}

{{/* For the run's own result ConfigMap; the run admission policy narrows it to that one. */}}
{{- define "reme.run.resultRole" -}}
- {apiGroups: [""], resources: [configmaps], verbs: [get, patch]}
{{- end }}
