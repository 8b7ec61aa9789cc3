{{- define "sockudo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "sockudo.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "sockudo.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "sockudo.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "sockudo.selector" -}}
app.kubernetes.io/name: {{ include "sockudo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sockudo.labels" -}}
{{ include "sockudo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "sockudo.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "sockudo.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "sockudo.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "sockudo.port" -}}
{{- .Values.config.port | default 6001 | int }}
{{- end }}

{{- define "sockudo.hasMetrics" -}}
{{- if ne (dig "enabled" true (.Values.config.metrics | default dict)) false }}yes{{ end }}
{{- end }}

{{- define "sockudo.metricsPort" -}}
{{- dig "port" 9601 (.Values.config.metrics | default dict) | int }}
{{- end }}

{{- define "sockudo.scheme" -}}
{{- if dig "enabled" false (.Values.config.ssl | default dict) }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}
