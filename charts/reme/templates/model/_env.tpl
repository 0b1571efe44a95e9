{{/* The settings of the model server: REME_MODEL_… names are its settings' fields. */}}
{{- define "reme.modelEnv" -}}
{{- with .Values.model.server -}}
- name: REME_MODEL_PORT
  value: "8000"
- name: REME_MODEL_MAX_LEN
  value: {{ .maxLen | quote }}
- name: REME_MODEL_MAX_SEQS
  value: {{ .maxSeqs | quote }}
- name: REME_MODEL_KV_CACHE_GIB
  value: {{ .kvCacheGib | quote }}
- name: REME_MODEL_DTYPE
  value: {{ .dtype }}
- name: REME_MODEL_THREADS
  value: {{ .threads | quote }}
- name: REME_MODEL_ENFORCE_EAGER
  value: {{ .enforceEager | quote }}
{{- end }}
{{- with .Values.model.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
