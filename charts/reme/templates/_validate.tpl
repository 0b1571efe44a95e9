{{/* Values that fit their schema and still make no sense are refused here, before anything is made. */}}
{{- define "reme.validate" -}}
{{- $never := list .Release.Namespace "kube-system" "kube-public" "kube-node-lease" }}
{{- range .Values.watchNamespaces }}
{{- if has . $never }}
{{- fail (printf "\n\nwatchNamespaces: reme never acts in %s (%s, nor in its own namespace).\n" . (join ", " (rest $never))) }}
{{- end }}
{{- end }}
{{- range list "mode" "targets" "actions" }}
{{- if hasKey $.Values.defaultPolicy.spec . }}
{{- fail (printf "\n\ndefaultPolicy.spec.%s: set defaultPolicy.%s instead.\n" . .) }}
{{- end }}
{{- end }}
{{- if and .Values.model.apiKeySecret.name .Values.model.enabled }}
{{- fail "\n\nmodel.apiKeySecret is for a server that exists: the model server of this release takes no key, the network policy lets only the operator in.\n" }}
{{- end }}
{{- $_ := include "reme.modelEndpoint" . }}
{{- end }}
