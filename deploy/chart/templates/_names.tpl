{{/* The labels of one program's objects; its name is the argument. */}}
{{- define "vipvs.labels" -}}
app.kubernetes.io/name: vipvs
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "vipvs.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
