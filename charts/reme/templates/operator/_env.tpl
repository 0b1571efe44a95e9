{{/* The settings of the operator that the chart decides: REME_… names are its settings' fields. */}}
{{- define "reme.operatorEnv" -}}
- name: REME_NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
- name: REME_POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: REME_WATCH_NAMESPACES
  value: {{ join "," .Values.watchNamespaces | quote }}
- name: REME_PAUSED
  value: {{ .Values.paused | quote }}
- name: REME_MAX_CONCURRENT
  value: {{ .Values.budgets.maxConcurrent | quote }}
- name: REME_MAX_PER_HOUR
  value: {{ .Values.budgets.maxPerHour | quote }}
- name: REME_STORM_THRESHOLD
  value: {{ .Values.storm.threshold | quote }}
- name: REME_STORM_WINDOW_SECONDS
  value: {{ .Values.storm.windowSeconds | quote }}
- name: REME_STORM_MAX_CONCURRENT
  value: {{ .Values.storm.maxConcurrent | quote }}
- name: REME_KILL_SWITCH_NAME
  value: {{ .Values.killSwitch.name }}
- name: REME_LOG_LEVEL
  value: {{ .Values.logLevel }}
- name: REME_HTTP_PORT
  value: "8080"
- name: REME_SANDBOX_IMAGE
  value: {{ include "reme.image" .Values.sandbox.image | quote }}
- name: REME_SANDBOX_IMAGE_PULL_POLICY
  value: {{ .Values.sandbox.image.pullPolicy }}
- name: REME_SANDBOX_IMAGE_PULL_SECRETS
  {{- $secrets := list }}
  {{- range .Values.imagePullSecrets }}{{ $secrets = append $secrets .name }}{{ end }}
  value: {{ join "," $secrets | quote }}
- name: REME_RUN_ROLE_KIND
  value: {{ if include "reme.clusterWide" . }}ClusterRole{{ else }}Role{{ end }}
- name: REME_RUN_ROLE_PREFIX
  value: {{ include "reme.runRolePrefix" . }}
- name: REME_MODEL_ENDPOINT
  value: {{ include "reme.modelEndpoint" . | quote }}
- name: REME_MODEL_NAME
  value: {{ .Values.model.name | quote }}
- name: REME_MODEL_TIMEOUT_SECONDS
  value: {{ .Values.model.timeoutSeconds | quote }}
- name: REME_MODEL_MAX_TOKENS
  value: {{ .Values.model.maxTokens | quote }}
- name: REME_MODEL_CONSTRAINED
  value: {{ .Values.model.constrained | quote }}
- name: REME_MODEL_PROMPT_STYLE
  value: {{ include "reme.promptStyle" . | quote }}
- name: REME_MODEL_COORDINATOR
  value: {{ .Values.model.coordinator | quote }}
- name: REME_PROMETHEUS_URL
  value: {{ .Values.prometheus.url | quote }}
{{- if .Values.model.apiKeySecret.name }}
- name: REME_MODEL_API_KEY_FILE
  value: /run/reme/model/api-key
{{- end }}
{{- with .Values.operator.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
