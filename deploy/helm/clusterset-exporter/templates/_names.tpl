{{- define "clusterset-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "clusterset-exporter.fullname" -}}
{{- $name := include "clusterset-exporter.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "clusterset-exporter.namespace" -}}
{{- if not .Values.enabled -}}
{{- fail "enabled: false works only in a parent chart that has `condition: clusterset-exporter.enabled`; to remove the exporter, uninstall the release" -}}
{{- end -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end }}

{{- /* Of a list: the root, and the component. */}}
{{- define "clusterset-exporter.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "clusterset-exporter.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "clusterset-exporter.labels" -}}
{{- $root := index . 0 -}}
{{ include "clusterset-exporter.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Annotations of an object, or nothing; of a list: the root, and those of its own. */}}
{{- define "clusterset-exporter.annotations" -}}
{{- with merge (deepCopy (index . 1)) (index . 0).Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "clusterset-exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "clusterset-exporter.fullname" .) }}
{{- else -}}
{{ required "serviceAccount.create is false, so name the account that exists in serviceAccount.name" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- /* A registry of `global` or `image.registry` replaces one that the repository names. */}}
{{- define "clusterset-exporter.image" -}}
{{- $registry := (.Values.global).imageRegistry | default .Values.image.registry -}}
{{- $path := .Values.image.repository -}}
{{- if $registry -}}
{{- $path = printf "%s/%s" (trimSuffix "/" $registry) (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $path "") -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{ $path }}@{{ .Values.image.digest }}
{{- else -}}
{{ $path }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Secrets for the registry, as a list of a pod, or nothing. Those of `global` may be names alone. */}}
{{- define "clusterset-exporter.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (((.Values.global).imagePullSecrets) | default list) .Values.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "map" . | ternary . (dict "name" .)) -}}
{{- end -}}
{{- with uniq $secrets -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end }}
