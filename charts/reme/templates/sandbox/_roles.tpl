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
{{- end }}

{{/* Beside the run, for its own result ConfigMap; which one that is, the fence knows. */}}
{{- define "reme.run.resultRole" -}}
- {apiGroups: [""], resources: [configmaps], verbs: [get, patch]}
{{- end }}
