{{/*
reme.run.identity     CEL: the request comes from the identity of a run
reme.run.pattern      regular expression: names of runs
reme.run.protected    CEL: namespaces that no run may write in
*/}}

{{- define "reme.run.pattern" -}}
reme-[0-9a-f]{8}-[0-9]+(-rollback)?
{{- end }}

{{/* No end anchor: a name that merely begins like a run's is bounded like a run. */}}
{{- define "reme.run.identity" -}}
request.userInfo.username.startsWith('system:serviceaccount:{{ .Release.Namespace }}:reme-') &&
request.userInfo.username.matches('^system:serviceaccount:{{ .Release.Namespace }}:reme-[0-9a-f]{8}-')
{{- end }}

{{- define "reme.run.protected" -}}
['kube-system', 'kube-public', 'kube-node-lease', '{{ .Release.Namespace }}']
{{- end }}
