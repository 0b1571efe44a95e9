{{/* Where the model answers: the server of this release, or the one that the values name. */}}
{{- define "reme.modelEndpoint" -}}
{{- if and .Values.model.enabled .Values.model.endpoint }}
{{- fail "\n\nmodel.enabled and model.endpoint are both given: the release either serves the model itself or uses a server that exists.\nFor your own server: --set model.enabled=false --set model.endpoint=http://HOST:PORT/v1\n" }}
{{- else if .Values.model.enabled -}}
http://{{ include "reme.fullname" . }}-model.{{ .Release.Namespace }}.svc:8000/v1
{{- else if .Values.model.endpoint -}}
{{ .Values.model.endpoint }}
{{- else }}
{{- fail "\n\nNo model: model.enabled is false and model.endpoint is empty.\nFor your own server: --set model.endpoint=http://HOST:PORT/v1\n" }}
{{- end }}
{{- end }}

{{/* The port of the endpoint's URL. */}}
{{- define "reme.modelPort" -}}
{{- include "reme.urlPort" (include "reme.modelEndpoint" .) }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "reme.urlPort" -}}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port }}
{{- end }}

{{/* The key of the endpoint as a file: who mounts a Secret needs no right to read Secrets. */}}
{{- define "reme.modelKeyVolume" -}}
- name: model-api-key
  secret:
    secretName: {{ .Values.model.apiKeySecret.name }}
    defaultMode: 0440
    items:
      - {key: {{ .Values.model.apiKeySecret.key | quote }}, path: api-key}
{{- end }}

{{/* How the model is asked: the one of our own image as it was trained. */}}
{{- define "reme.promptStyle" -}}
{{- $own := and .Values.model.enabled (not .Values.model.gpu.enabled) }}
{{- .Values.model.promptStyle | default (ternary "trained" "few-shot" $own) }}
{{- end }}
