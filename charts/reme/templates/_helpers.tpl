{{/*
Every name and label of the chart comes from here.

reme.name              name of the chart, or nameOverride
reme.fullname          what every object's name begins with
reme.labels            all labels:      include "reme.labels" (list . "operator")
reme.selectorLabels    the stable ones: include "reme.selectorLabels" (list . "operator")
reme.annotations       commonAnnotations
reme.serviceAccountName     of the operator
reme.runRolePrefix          what the names of the roles that runs are bound to begin with
reme.clusterWide            "true" or ""
reme.image             include "reme.image" .Values.operator.image
reme.podSecurityContext, reme.containerSecurityContext   "restricted" of the Pod Security Standards
*/}}

{{- define "reme.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* 40 characters leave room for what is put behind it: a label value ends at 63. */}}
{{- define "reme.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "reme.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The component is left out for what belongs to no single one: (list .) */}}
{{- define "reme.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "reme.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- if gt (len .) 1 }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}
{{- end }}

{{/* part-of is also what tells reme never to repair itself. */}}
{{- define "reme.labels" -}}
{{- $root := index . 0 -}}
{{ include "reme.selectorLabels" . }}
app.kubernetes.io/part-of: reme
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "reme.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (printf "%s-operator" (include "reme.fullname" .)) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "reme.runRolePrefix" -}}
{{ include "reme.fullname" . }}-run-
{{- end }}

{{- define "reme.clusterWide" -}}
{{- if not .Values.watchNamespaces }}true{{ end }}
{{- end }}

{{/* A digest wins over the tag: it cannot be moved. */}}
{{- define "reme.image" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag }}
{{- end }}
{{- end }}

{{- define "reme.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "reme.containerSecurityContext" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "reme.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
