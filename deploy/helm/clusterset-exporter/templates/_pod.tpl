{{- /* Labels that a Prometheus or Grafana selects by; of a list: the root, and the value with additionalLabels. */}}
{{- define "clusterset-exporter.selectedBy" -}}
{{- $root := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $release := ternary $root.Release.Name (toString $root.Values.releaseLabel) (eq "true" (toString $root.Values.releaseLabel)) -}}
{{- $labels := ternary (dict "release" $release) dict (not (has $release (list "" "false"))) -}}
{{- with mergeOverwrite $labels $kind.labels $kind.additionalLabels }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "clusterset-exporter.monitored" -}}
{{- if or .Values.serviceMonitor.enabled .Values.podMonitor.enabled .Values.podMonitoring.enabled }}true{{ end -}}
{{- end }}

{{- /* The job of the series, as a regular expression. Google's collector names it after the PodMonitoring. */}}
{{- define "clusterset-exporter.job" -}}
{{- if .Values.podMonitoring.enabled -}}
{{ include "clusterset-exporter.fullname" . }}(-node-logs)?
{{- else -}}
{{ include "clusterset-exporter.name" . }}
{{- end -}}
{{- end }}

{{- /* What is alike in all pods; of a list: the root, the component, its configuration. */}}
{{- define "clusterset-exporter.podMetadata" -}}
{{- $root := index . 0 -}}
labels:
  {{- include "clusterset-exporter.labels" (list $root (index . 1)) | nindent 2 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ sha256sum (index . 2) }}
  {{- if and $root.Values.scrapeAnnotations.enabled (not (include "clusterset-exporter.monitored" $root)) }}
  prometheus.io/scrape: "true"
  prometheus.io/port: "9877"
  {{- if include "clusterset-exporter.tls" $root }}
  prometheus.io/scheme: https
  {{- end }}
  {{- end }}
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Of a list: the root, the name of the ConfigMap, further arguments. */}}
{{- define "clusterset-exporter.container" -}}
{{- $root := index . 0 -}}
name: exporter
image: {{ include "clusterset-exporter.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args:
  - run
  - --config.file=/etc/clusterset-exporter/config.yaml
  - --log.level={{ $root.Values.logLevel }}
  - --log.format={{ $root.Values.logFormat }}
  {{- if $root.Values.web.secrets }}
  - --web.config.file=/etc/clusterset-exporter-web/web.yaml
  {{- end }}
  {{- range index . 2 }}
  - {{ . }}
  {{- end }}
  {{- range $root.Values.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_UID
    valueFrom: {fieldRef: {fieldPath: metadata.uid}}
  # For an OverridePolicy that names clusters one by one. Without the key, the exporter discovers its cluster.
  - name: CLUSTER_NAME
    valueFrom: {configMapKeyRef: {name: {{ index . 1 }}, key: CLUSTER_NAME, optional: true}}
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - {name: metrics, containerPort: 9877}
{{- $scheme := ternary (dict "scheme" "HTTPS") dict (eq "true" (include "clusterset-exporter.tls" $root)) }}
{{- range list (list "startupProbe" "/-/healthy") (list "livenessProbe" "/-/healthy") (list "readinessProbe" "/-/ready") }}
{{ index . 0 }}:
  httpGet: {{ toJson (merge (dict "path" (index . 1) "port" "metrics") $scheme) }}
  {{- with index $root.Values (index . 0) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* True, or nothing: whether OpenShift chooses the ids of users and groups. */}}
{{- define "clusterset-exporter.openshift" -}}
{{- if eq (toString .Values.openshift) "auto" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}true{{ end -}}
{{- else if .Values.openshift }}true{{ end -}}
{{- end }}

{{- /* The security context of the pods, but for node logs. */}}
{{- define "clusterset-exporter.podSecurity" -}}
{{- $security := .Values.podSecurityContext -}}
{{- if include "clusterset-exporter.openshift" . }}{{ $security = omit $security "runAsUser" "runAsGroup" "fsGroup" }}{{ end -}}
{{- toYaml $security -}}
{{- end }}

{{- /* What a pod of the exporter and of node logs have in common. */}}
{{- define "clusterset-exporter.podSettings" -}}
{{- with include "clusterset-exporter.pullSecrets" . }}
{{- . }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "clusterset-exporter.containerSecurity" -}}
{{- $security := .Values.securityContext -}}
{{- if include "clusterset-exporter.openshift" . }}{{ $security = omit $security "runAsUser" "runAsGroup" }}{{ end -}}
securityContext:
  {{- toYaml $security | nindent 2 }}
{{- end }}

{{- define "clusterset-exporter.mounts" -}}
- {name: config, mountPath: /etc/clusterset-exporter, readOnly: true}
{{- if include "clusterset-exporter.probeKey" . }}
- {name: probe-key, mountPath: /etc/clusterset-exporter-key, readOnly: true}
{{- end }}
{{- if .Values.web.secrets }}
- {name: web, mountPath: /etc/clusterset-exporter-web, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "clusterset-exporter.volumes" -}}
{{- $root := index . 0 -}}
- name: config
  configMap: {name: {{ index . 1 }}}
{{- with include "clusterset-exporter.probeKey" $root }}
- name: probe-key
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with $root.Values.web.secrets }}
- name: web
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      - secret: {name: {{ . }}}
      {{- end }}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
