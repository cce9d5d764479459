{{- define "clusterset-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- /* Of a list: the root, and the component. */}}
{{- define "clusterset-exporter.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "clusterset-exporter.labels" -}}
{{- $root := index . 0 -}}
{{ include "clusterset-exporter.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "clusterset-exporter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "clusterset-exporter.probeKey" -}}
{{- if and .Values.probeKey.create .Values.probeKey.existingSecret -}}
{{- fail "probeKey: create and existingSecret are two keys; keep one" -}}
{{- end -}}
{{- if .Values.probeKey.create -}}
{{ include "clusterset-exporter.fullname" . }}-probe-key
{{- else -}}
{{ .Values.probeKey.existingSecret }}
{{- end -}}
{{- end }}

{{- /* Names of the Secrets that are mounted, as a JSON list. */}}
{{- define "clusterset-exporter.secrets" -}}
{{- $key := include "clusterset-exporter.probeKey" . -}}
{{- toJson (concat (ternary (list $key) list (ne $key "")) .Values.web.secrets) -}}
{{- end }}

{{- /* True, or nothing. */}}
{{- define "clusterset-exporter.tls" -}}
{{- if and .Values.web.tls (not .Values.web.secrets) -}}
{{- fail "web.tls without web.secrets; name the Secret with web.yaml, which says what to serve TLS with" -}}
{{- end -}}
{{- if .Values.web.tls }}true{{ end -}}
{{- end }}

{{- /* True, or nothing: whether the chart itself asks for logs of pods. */}}
{{- define "clusterset-exporter.podLogs" -}}
{{- if and .Values.podLogs.enabled (not .Values.nodeLogs.enabled) }}true{{ end -}}
{{- end }}

{{- /* True, or nothing: whether the whole configuration asks for logs of pods. */}}
{{- define "clusterset-exporter.readsPodLogs" -}}
{{- range (include "clusterset-exporter.config" . | fromYaml).logs }}{{ if hasKey . "pods" }}true{{ end }}{{ end -}}
{{- end }}

{{- /* Namespaces with pods whose logs are read, as a JSON list; an empty one stands for all. */}}
{{- define "clusterset-exporter.podLogNamespaces" -}}
{{- toJson (.Values.podLogs.namespaces | default .Values.watchNamespaces) -}}
{{- end }}

{{- /* Namespaces with a Role for discovery, as a JSON list; an empty one stands for a ClusterRole. */}}
{{- define "clusterset-exporter.scope" -}}
{{- $submariner := ternary (list .Values.submarinerNamespace) list (and (ne .Values.submarinerNamespace "") (not (empty .Values.watchNamespaces))) -}}
{{- toJson (concat .Values.watchNamespaces $submariner | uniq) -}}
{{- end }}

{{- /* True, or nothing. */}}
{{- define "clusterset-exporter.reviewsTokens" -}}
{{- if and .Values.web.kubernetes (not .Values.web.secrets) -}}
{{- fail "web.kubernetes without web.secrets; name the Secret with web.yaml, which contains kubernetes: {}" -}}
{{- end -}}
{{- if .Values.web.kubernetes }}true{{ end -}}
{{- end }}

{{- /* The accounts that need the rights of discovery and of reviews. */}}
{{- define "clusterset-exporter.accounts" -}}
{{- $name := include "clusterset-exporter.fullname" . -}}
- {kind: ServiceAccount, name: {{ $name }}, namespace: {{ .Release.Namespace }}}
{{- if .Values.nodeLogs.enabled }}
- {kind: ServiceAccount, name: {{ $name }}-node-logs, namespace: {{ .Values.nodeLogs.namespace }}}
{{- end }}
{{- end }}

{{- /* True, or nothing. */}}
{{- define "clusterset-exporter.nodeLogsByPod" -}}
{{- range .Values.nodeLogs.logs }}{{ if kindIs "map" .service }}{{ if .service.pod }}true{{ end }}{{ end }}{{ end -}}
{{- end }}

{{- define "clusterset-exporter.config" -}}
{{- $name := include "clusterset-exporter.fullname" . -}}
{{- $kubernetes := dict "config_map" $name -}}
{{- if eq (int .Values.shards) 1 }}{{ $_ := set $kubernetes "lease" $name }}{{ end -}}
{{- if .Values.watchNamespaces }}
{{- $_ := set $kubernetes "watch_namespaces" .Values.watchNamespaces }}
{{- $_ := set $kubernetes "submariner_namespace" (ternary .Values.submarinerNamespace nil (ne .Values.submarinerNamespace "")) }}
{{- end -}}
{{- $made := dict "inventory" (dict "kubernetes" $kubernetes) -}}
{{- if include "clusterset-exporter.podLogs" . }}{{ $_ := set $made "logs" (list (dict "pods" dict)) }}{{ $_ := set $made "state_directory" "/var/lib/clusterset-exporter" }}{{ end -}}
{{- if include "clusterset-exporter.probeKey" . }}{{ $_ := set $made "probe_key_file" "/etc/clusterset-exporter-key/key" }}{{ end -}}
{{- if .Values.cluster }}{{ $_ := set $made "cluster" .Values.cluster }}{{ end -}}
{{- toYaml (mergeOverwrite $made (deepCopy .Values.config)) -}}
{{- end }}

{{- /* As the others see the clusterset, but it probes nothing and leads nothing. */}}
{{- define "clusterset-exporter.nodeLogsConfig" -}}
{{- $made := include "clusterset-exporter.config" . | fromYaml -}}
{{- $_ := set $made.inventory.kubernetes "config_map" (printf "%s-node-logs" (include "clusterset-exporter.fullname" .)) -}}
{{- $_ := unset $made.inventory.kubernetes "lease" -}}
{{- $_ := set $made "probe" (dict "services" (list (dict "match" "*/*" "enabled" false))) -}}
{{- $logs := list -}}
{{- range .Values.nodeLogs.logs }}{{ $logs = append $logs (merge (deepCopy .) (dict "wrapper" "cri")) }}{{ end -}}
{{- $_ := set $made "logs" $logs -}}
{{- $_ := set $made "state_directory" "/var/lib/clusterset-exporter" -}}
{{- toYaml $made -}}
{{- end }}

{{- define "clusterset-exporter.monitored" -}}
{{- if or .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}true{{ end -}}
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
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_UID
    valueFrom: {fieldRef: {fieldPath: metadata.uid}}
  # For an OverridePolicy that names clusters one by one. Without the key, the exporter discovers its cluster.
  - name: CLUSTER_NAME
    valueFrom: {configMapKeyRef: {name: {{ index . 1 }}, key: CLUSTER_NAME, optional: true}}
ports:
  - {name: metrics, containerPort: 9877}
{{- $scheme := ternary ", scheme: HTTPS" "" (eq "true" (include "clusterset-exporter.tls" $root)) }}
# It waits before it asks, because each answer that is not yes becomes a warning in the pod's events.
startupProbe:
  httpGet: {path: /-/healthy, port: metrics{{ $scheme }}}
  initialDelaySeconds: 4
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /-/healthy, port: metrics{{ $scheme }}}
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /-/ready, port: metrics{{ $scheme }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{- define "clusterset-exporter.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "clusterset-exporter.mounts" -}}
- {name: config, mountPath: /etc/clusterset-exporter, readOnly: true}
{{- if include "clusterset-exporter.probeKey" . }}
- {name: probe-key, mountPath: /etc/clusterset-exporter-key, readOnly: true}
{{- end }}
{{- if .Values.web.secrets }}
- {name: web, mountPath: /etc/clusterset-exporter-web, readOnly: true}
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
{{- end }}
