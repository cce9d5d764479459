{{- define "clusterset-exporter.probeKey" -}}
{{- if and .Values.probeKey.create .Values.probeKey.existingSecret -}}
{{- fail "probeKey: create and existingSecret are two keys; keep one" -}}
{{- end -}}
{{- if and .Values.probeKey.create .Values.karmada.enabled -}}
{{- fail (printf "probeKey.create with karmada.enabled: Karmada's API server runs no Job that could make the key, and each member would make another one; run `kubectl create secret generic %s-probe-key --namespace %s --from-literal=key=$(openssl rand -hex 32)` there once, and set probeKey.existingSecret=%s-probe-key" (include "clusterset-exporter.fullname" .) (include "clusterset-exporter.namespace" .) (include "clusterset-exporter.fullname" .)) -}}
{{- end -}}
{{- if .Values.probeKey.create -}}
{{ include "clusterset-exporter.fullname" . }}-probe-key
{{- else -}}
{{ .Values.probeKey.existingSecret }}
{{- end -}}
{{- end }}

{{- /* Namespaces whose pods mount the key, as a JSON list. */}}
{{- define "clusterset-exporter.keyNamespaces" -}}
{{- $ours := list (include "clusterset-exporter.namespace" .) -}}
{{- toJson (ternary (append $ours .Values.nodeLogs.namespace) $ours .Values.nodeLogs.enabled) -}}
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

{{- /* True, or nothing: whether the whole configuration asks for logs of pods behind exported services. */}}
{{- define "clusterset-exporter.readsPodLogs" -}}
{{- range (include "clusterset-exporter.config" . | fromYaml).logs }}{{ if hasKey . "pods" }}{{ if not (dig "selector" "" (.pods | default dict)) }}true{{ end }}{{ end }}{{ end -}}
{{- end }}

{{- /* Namespaces with pods whose logs are read, as a JSON list; an empty one stands for all. */}}
{{- define "clusterset-exporter.podLogNamespaces" -}}
{{- toJson (.Values.podLogs.namespaces | default .Values.watchNamespaces) -}}
{{- end }}

{{- /* True, or nothing: whether the whole configuration asks for Kubernetes Events. */}}
{{- define "clusterset-exporter.writesEvents" -}}
{{- if dig "inventory" "kubernetes" "events" false (include "clusterset-exporter.config" . | fromYaml) }}true{{ end -}}
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
- {kind: ServiceAccount, name: {{ include "clusterset-exporter.serviceAccount" . }}, namespace: {{ include "clusterset-exporter.namespace" . }}}
{{- if .Values.nodeLogs.enabled }}
- {kind: ServiceAccount, name: {{ $name }}-node-logs, namespace: {{ .Values.nodeLogs.namespace }}}
{{- end }}
{{- end }}

{{- /* True, or nothing. */}}
{{- define "clusterset-exporter.nodeLogsByPod" -}}
{{- range .Values.nodeLogs.logs }}{{ if kindIs "map" .service }}{{ if .service.pod }}true{{ end }}{{ end }}{{ end -}}
{{- end }}

{{- /* Name of the Lease of the exporters that lead; nothing without an election. */}}
{{- define "clusterset-exporter.lease" -}}
{{- dig "inventory" "kubernetes" "lease" "" (include "clusterset-exporter.config" . | fromYaml) | default "" -}}
{{- end }}

{{- define "clusterset-exporter.config" -}}
{{- $name := include "clusterset-exporter.fullname" . -}}
{{- $kubernetes := dict "config_map" $name -}}
{{- if eq (int .Values.shards) 1 }}{{ $_ := set $kubernetes "lease" $name }}{{ end -}}
{{- if .Values.events }}{{ $_ := set $kubernetes "events" true }}{{ end -}}
{{- if .Values.watchNamespaces }}
{{- $_ := set $kubernetes "watch_namespaces" .Values.watchNamespaces }}
{{- $_ := set $kubernetes "submariner_namespace" (ternary .Values.submarinerNamespace nil (ne .Values.submarinerNamespace "")) }}
{{- end -}}
{{- $made := dict "inventory" (dict "kubernetes" $kubernetes) -}}
{{- if include "clusterset-exporter.podLogs" . }}{{ $_ := set $made "logs" (list (dict "pods" dict)) }}{{ $_ := set $made "state_directory" "/var/lib/clusterset-exporter" }}{{ end -}}
{{- if include "clusterset-exporter.probeKey" . }}{{ $_ := set $made "probe_key_file" "/etc/clusterset-exporter-key/key" }}{{ end -}}
{{- if .Values.cluster }}{{ $_ := set $made "cluster" .Values.cluster }}{{ end -}}
{{- with .Values.alerts.runbookUrl }}{{ $_ := set $made "runbook_url" . }}{{ end -}}
{{- with .Values.alerts.dashboardUrl }}{{ $_ := set $made "dashboard_url" (printf "%s/d/clusterset-service" .) }}{{ end -}}
{{- toYaml (mergeOverwrite $made (deepCopy .Values.config)) -}}
{{- end }}

{{- /* As the others see the clusterset, but it probes nothing and leads nothing. */}}
{{- define "clusterset-exporter.nodeLogsConfig" -}}
{{- $made := include "clusterset-exporter.config" . | fromYaml -}}
{{- $_ := set $made.inventory.kubernetes "config_map" (printf "%s-node-logs" (include "clusterset-exporter.fullname" .)) -}}
{{- $_ := unset $made.inventory.kubernetes "lease" -}}
{{- $_ := set $made "probe" (dict "services" (list (dict "match" "*/*" "enabled" false))) -}}
{{- $logs := list -}}
{{- $lease := include "clusterset-exporter.lease" . -}}
{{- range .Values.nodeLogs.logs }}
{{- $log := merge (deepCopy .) (dict "wrapper" "cri") -}}
{{- if and $lease (kindIs "map" .service) (eq $log.wrapper "cri") }}{{ if .service.pod -}}
{{- $log = merge $log (dict "after_lease" (printf "%s/%s" (include "clusterset-exporter.namespace" $) $lease)) -}}
{{- end }}{{ end -}}
{{- $logs = append $logs $log -}}
{{- end -}}
{{- $_ := set $made "logs" $logs -}}
{{- $_ := set $made "state_directory" "/var/lib/clusterset-exporter" -}}
{{- toYaml $made -}}
{{- end }}

