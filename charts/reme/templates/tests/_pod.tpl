{{/*
The pod that runs a script of the chart with the operator's image:
include "reme.toolPod" (list . "files/check_release.py")
*/}}
{{- define "reme.toolPod" -}}
{{- $root := index . 0 -}}
restartPolicy: Never
{{- if eq (index . 1) "files/check_release.py" }}
serviceAccountName: {{ include "reme.fullname" $root }}-test
{{- else }}
serviceAccountName: {{ include "reme.serviceAccountName" $root }}
{{- end }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- include "reme.imagePullSecrets" $root }}
securityContext:
  {{- include "reme.podSecurityContext" $root | nindent 2 }}
{{- with $root.Values.operator.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.operator.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: script
    image: {{ include "reme.image" $root.Values.operator.image | quote }}
    imagePullPolicy: {{ $root.Values.operator.image.pullPolicy }}
    command: [python, -I, -c]
    args:
      - |
        {{- $root.Files.Get (index . 1) | nindent 8 }}
    securityContext:
      {{- include "reme.containerSecurityContext" $root | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 32Mi}
      limits: {memory: 128Mi}
    {{- if eq (index . 1) "files/check_release.py" }}
    env:
      - name: NAMESPACE
        value: {{ $root.Release.Namespace }}
      - name: OPERATOR_URL
        value: http://{{ include "reme.fullname" $root }}-operator.{{ $root.Release.Namespace }}.svc:8080
      - name: MODEL_ENDPOINT
        value: {{ include "reme.modelEndpoint" $root | quote }}
      - name: MODEL_NAME
        value: {{ $root.Values.model.name | quote }}
    {{- if $root.Values.model.apiKeySecret.name }}
    volumeMounts:
      - {name: model-api-key, mountPath: /run/reme/model, readOnly: true}
    {{- end }}
    {{- end }}
{{- if and (eq (index . 1) "files/check_release.py") $root.Values.model.apiKeySecret.name }}
volumes:
  {{- include "reme.modelKeyVolume" $root | nindent 2 }}
{{- end }}
{{- end }}
