{{/*
What the operator may do. No wildcard, no Secrets, no exec, no write on any workload: what a repair
changes is changed by its run, under rights that only `bind` hands out, and inside the fence.
*/}}

{{/* reme's own kinds, wherever they live. */}}
{{- define "reme.rules.own" -}}
- apiGroups: [reme.dev]
  resources: [diagnosisreports, remediationpolicies]
  verbs: [get, list, watch]
# patch: the finalizer; delete: retention
- apiGroups: [reme.dev]
  resources: [remediations]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [reme.dev]
  resources: [diagnosisreports/status, remediationpolicies/status, remediations/status]
  verbs: [get, update, patch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Where targets live: reading, the texts of remediations, and binding the run roles. */}}
{{- define "reme.rules.watched" -}}
{{ include "reme.rules.own" . }}
# reports about the cause of a fault; the policies operator-admission and follow-up keep it to those
- apiGroups: [reme.dev]
  resources: [diagnosisreports]
  verbs: [create, follow]
# watch: what verification polls
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- if .Values.rbac.readLogs }}
# of method ThinkRemed
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
- apiGroups: [""]
  resources: [services, events, resourcequotas]
  verbs: [get, list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, list]
- apiGroups: [metrics.k8s.io]
  resources: [pods]
  verbs: [get, list]
# get: what a target references; create: the immutable texts of a remediation
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, create, delete]
# these roles and no others can be handed to a run
- apiGroups: [rbac.authorization.k8s.io]
  resources: [{{ if include "reme.clusterWide" . }}clusterroles{{ else }}roles{{ end }}]
  resourceNames:
    {{- range keys (include "reme.run.roles" . | fromYaml) | sortAlpha }}
    - {{ include "reme.runRolePrefix" $ }}{{ . }}
    {{- end }}
  verbs: [bind]
{{- end }}

{{/* What is in no namespace; only where reme watches the whole cluster. */}}
{{- define "reme.rules.cluster" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list]
# for runs on nodes; the policy operator-admission keeps it to those
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterrolebindings]
  verbs: [get, create, delete]
{{- end }}

{{/* The release namespace, where runs live. */}}
{{- define "reme.rules.release" -}}
{{ include "reme.rules.own" . }}
- apiGroups: [reme.dev]
  resources: [rungrants]
  verbs: [get, list, create, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, create, delete]
# of runs, for dry runs alone: the policies operator-admission and run-limits see to both
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings]
  verbs: [get, create, delete]
# RBAC cannot narrow a creation to a name
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [reme-operator]
  verbs: [get, update, patch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles]
  resourceNames: [{{ include "reme.runRolePrefix" . }}result]
  verbs: [bind]
{{- end }}

{{- define "reme.operatorSubject" -}}
- kind: ServiceAccount
  name: {{ include "reme.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
