groups:
- name: clusterset-exporter-local-recordings
  rules:
  - record: source_destination_locality:clusterset_requests:rate5m
    expr: sum without (instance, pod, container, endpoint, node, destination_service_namespace, destination_service_name) (rate(clusterset_requests_total[5m]))
  - record: source_destination:clusterset_request_failures:rate5m
    expr: sum without (instance, pod, container, endpoint, node, destination_service_namespace, destination_service_name, locality) (rate(clusterset_request_failures_total[5m]))
  - record: source_destination_locality:clusterset_response_bytes:rate5m
    expr: sum without (instance, pod, container, endpoint, node, destination_service_namespace, destination_service_name) (rate(clusterset_response_bytes_total[5m]))
  - record: destination_service_locality:clusterset_requests:rate5m
    expr: sum without (instance, pod, container, endpoint, node, source_cluster) (rate(clusterset_requests_total[5m]))
  - record: destination_service:clusterset_request_failures:rate5m
    expr: sum without (instance, pod, container, endpoint, node, source_cluster, locality) (rate(clusterset_request_failures_total[5m]))
  - record: source_destination:clusterset_probe_reply_seconds:p95_rate5m
    expr: histogram_quantile(0.95, sum without (instance, pod, container, endpoint, node, phase) (rate(clusterset_probe_duration_seconds_bucket{phase="reply"}[5m])))
  - record: source_service:clusterset_service_mode:code
    expr: max without (instance, pod, container, endpoint, node, mode) (clusterset_service_mode{mode="local"} * 1 or clusterset_service_mode{mode="remote"} * 2 or clusterset_service_mode{mode="failover"} * 3 or clusterset_service_mode{mode="mixed"} * 4 or clusterset_service_mode{mode="degraded"} * 4.5 or clusterset_service_mode{mode="blackout"} * 5)
  - record: source_service:clusterset_service_trouble:code
    expr: source_service:clusterset_service_mode:code >= 3
  - record: source_namespace_mode:clusterset_services:count
    expr: sum without (destination_service_name) (max without (instance, pod, container, endpoint, node) (clusterset_service_mode))
  - record: source_namespace:clusterset_services_without_standby:count
    expr: sum without (destination_service_name) (max without (instance, pod, container, endpoint, node) (clusterset_service_standby_clusters) == bool 0)
- name: clusterset-exporter-local-alerts
  rules:
  - alert: ClustersetServiceBlackout
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_mode{mode="blackout"}) == 1
    for: '{{ .Values.alerts.blackoutFor }}'
    labels:
      severity: critical
    annotations:
      summary: Clients of a cluster get no answer from a service, from any cluster.
      description: Nobody serves {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} to clients in {{`{{ $labels.source_cluster }}`}}.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceBlackout.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=3'
      {{- end }}
  - alert: ClustersetServiceFailover
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_mode{mode="failover"}) == 1
    for: '{{ .Values.alerts.failoverFor }}'
    keep_firing_for: '{{ .Values.alerts.failoverKeep }}'
    labels:
      severity: warning
    annotations:
      summary: Another cluster serves a service that the local cluster exports.
      description: Clients in {{`{{ $labels.source_cluster }}`}} get {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} from another cluster, though {{`{{ $labels.source_cluster }}`}} exports it.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceFailover.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=3'
      {{- end }}
  - alert: ClustersetFailoverFlapping
    expr: max without (instance, pod, container, endpoint, node, stage) (clusterset_service_moves_total - min_over_time(clusterset_service_moves_total[{{ .Values.alerts.flappingWindow }}])) > {{ .Values.alerts.flappingMoves }} or max without (instance, pod, container, endpoint, node, stage) (clusterset_failover_duration_seconds_count{stage="served"} - min_over_time(clusterset_failover_duration_seconds_count{stage="served"}[{{ .Values.alerts.flappingWindow }}])) > {{ .Values.alerts.flappingMoves }}
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: A service moves between clusters again and again.
      description: '{{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} moved between clusters {{`{{ $value | humanize }}`}} times within {{ .Values.alerts.flappingWindow }} for clients in {{`{{ $labels.source_cluster }}`}}.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetFailoverFlapping.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=4'
      {{- end }}
  - alert: ClustersetFailoverSlow
    expr: max without (instance, pod, container, endpoint, node, stage) (clusterset_failover_last_duration_seconds{stage="served"}) > {{ .Values.alerts.slowFailoverSeconds }} and on (source_cluster, destination_service_namespace, destination_service_name) time() - max without (instance, pod, container, endpoint, node) (clusterset_failover_last_timestamp_seconds) < {{ .Values.alerts.slowFailoverAgeSeconds }}
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: A move of a service to another cluster took too long.
      description: It took {{`{{ $value | humanizeDuration }}`}} until clients in {{`{{ $labels.source_cluster }}`}} were served {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} again by another cluster.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetFailoverSlow.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=32'
      {{- end }}
  - alert: ClustersetCrossClusterLeakage
    expr: sum without (instance, pod, container, endpoint, node) (rate(clusterset_requests_total{locality="leak"}[{{ .Values.alerts.leakWindow }}])) > {{ .Values.alerts.leakRate }}
    for: '{{ .Values.alerts.leakFor }}'
    labels:
      severity: warning
    annotations:
      summary: Requests cross to another cluster although their own is ready.
      description: Clients in {{`{{ $labels.source_cluster }}`}} make {{`{{ $value | humanize }}`}} requests per second for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} to {{`{{ $labels.destination_cluster }}`}}, though it is ready in {{`{{ $labels.source_cluster }}`}}.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetCrossClusterLeakage.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=10'
      {{- end }}
  - alert: ClustersetGatewayLeakage
    expr: sum without (instance, pod, container, endpoint, node) (rate(clusterset_upstream_requests_total{locality="leak"}[{{ .Values.alerts.leakWindow }}])) > {{ .Values.alerts.leakRate }}
    for: '{{ .Values.alerts.leakFor }}'
    labels:
      severity: warning
    annotations:
      summary: A gateway sends requests to another cluster although its own is ready.
      description: Gateways in {{`{{ $labels.source_cluster }}`}} send {{`{{ $value | humanize }}`}} requests per second for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} to {{`{{ $labels.destination_cluster }}`}}, though it is ready in {{`{{ $labels.source_cluster }}`}}.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetGatewayLeakage.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=14'
      {{- end }}
  - alert: ClustersetStandbyMissing
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_standby_clusters) == 0 and on (source_cluster, destination_service_namespace, destination_service_name) count without (instance, pod, container, endpoint, node, destination_cluster) (clusterset_service_ready) > 1
    for: '{{ .Values.alerts.standbyFor }}'
    labels:
      severity: warning
    annotations:
      summary: No other cluster could take over a service.
      description: If the cluster that serves {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} to clients in {{`{{ $labels.source_cluster }}`}} stopped, no other would answer, though others export it.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetStandbyMissing.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=17'
      {{- end }}
  - alert: ClustersetPinnedNameBroken
    expr: sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_violations_total{rule=~"pins"}[{{ .Values.alerts.promiseWindow }}])) / (sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_checks_total{rule=~"pins"}[{{ .Values.alerts.promiseWindow }}])) > 0) > {{ .Values.alerts.promiseRatio }}
    for: '{{ .Values.alerts.promiseFor }}'
    labels:
      severity: warning
    annotations:
      summary: The name of a service in one chosen cluster leads elsewhere, or nowhere.
      description: '{{`{{ $value | humanizePercentage }}`}} of the probes from {{`{{ $labels.source_cluster }}`}} that asked by name for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} in one chosen cluster did not reach that cluster.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetPinnedNameBroken.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=23'
      {{- end }}
  - alert: ClustersetSpreadBroken
    expr: sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_violations_total{rule=~"spreads"}[{{ .Values.alerts.spreadWindow }}])) / (sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_checks_total{rule=~"spreads"}[{{ .Values.alerts.spreadWindow }}])) > 0) > 0
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: DNS answers are not spread over all clusters that could serve.
      description: DNS leads clients in {{`{{ $labels.source_cluster }}`}} to some of the clusters that could serve {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} far more often than to others.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetSpreadBroken.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=11'
      {{- end }}
  - alert: ClustersetPromiseBroken
    expr: sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_violations_total{rule=~"connected_only|fails_over|local_first|reachable|resolves"}[{{ .Values.alerts.promiseWindow }}])) / (sum without (instance, pod, container, endpoint, node) (increase(clusterset_rule_checks_total{rule=~"connected_only|fails_over|local_first|reachable|resolves"}[{{ .Values.alerts.promiseWindow }}])) > 0) > {{ .Values.alerts.promiseRatio }}
    for: '{{ .Values.alerts.promiseFor }}'
    labels:
      severity: warning
    annotations:
      summary: The clusterset does not do what it promises for a service.
      description: '{{`{{ $value | humanizePercentage }}`}} of the probes of {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} from {{`{{ $labels.source_cluster }}`}} find that the promise {{`{{ $labels.rule }}`}} is broken.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetPromiseBroken.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=23'
      {{- end }}
  - alert: ClustersetServiceExportConflict
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_export_condition{type="Conflict"}) == 1
    for: '{{ .Values.alerts.conflictFor }}'
    labels:
      severity: warning
    annotations:
      summary: Clusters export a service with contradictory definitions.
      description: The export of {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} by {{`{{ $labels.destination_cluster }}`}} contradicts that of another cluster.
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceExportConflict.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=20'
      {{- end }}
  - alert: ClustersetServiceHazard
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_hazard{hazard!~"single_cluster|no_pinned_names|no_host_in_log"}) == 1
    for: '{{ .Values.alerts.hazardFor }}'
    labels:
      severity: warning
    annotations:
      summary: A service has a setup that is known to break failover or locality.
      description: '{{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}, as {{`{{ $labels.source_cluster }}`}} sees it, has the hazard {{`{{ $labels.hazard }}`}}, which is known to break failover or locality.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceHazard.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=21'
      {{- end }}
  - alert: ClustersetCertificateEnding
    expr: min without (instance, pod, container, endpoint, node, source_cluster) (clusterset_probe_certificate_expiry_timestamp_seconds) - time() < {{ .Values.alerts.certificateUrgentDays }} * 86400
    for: '{{ .Values.alerts.certificateFor }}'
    labels:
      severity: critical
    annotations:
      summary: The certificate of a service expires soon.
      description: The certificate that {{`{{ $labels.destination_cluster }}`}} shows for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} expires in {{`{{ $value | humanizeDuration }}`}}.
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetCertificateEnding.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=27'
      {{- end }}
  - alert: ClustersetCertificateEnding
    expr: (min without (instance, pod, container, endpoint, node, source_cluster) (clusterset_probe_certificate_expiry_timestamp_seconds) - time() < {{ .Values.alerts.certificateDays }} * 86400) >= {{ .Values.alerts.certificateUrgentDays }} * 86400
    for: '{{ .Values.alerts.certificateFor }}'
    labels:
      severity: warning
    annotations:
      summary: The certificate of a service expires soon.
      description: The certificate that {{`{{ $labels.destination_cluster }}`}} shows for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} expires in {{`{{ $value | humanizeDuration }}`}}.
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetCertificateEnding.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=27'
      {{- end }}
  - alert: ClustersetServiceDegraded
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_mode{mode="degraded"}) == 1
    for: '{{ .Values.alerts.degradedFor }}'
    labels:
      severity: warning
    annotations:
      summary: DNS leads some clients to a cluster that does not reply.
      description: Some clients in {{`{{ $labels.source_cluster }}`}} get no reply from {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}, because DNS leads them to a cluster that does not reply.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceDegraded.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=3'
      {{- end }}
  - alert: ClustersetServiceMixed
    expr: max without (instance, pod, container, endpoint, node) (clusterset_service_mode{mode="mixed"}) == 1
    for: '{{ .Values.alerts.mixedFor }}'
    labels:
      severity: warning
    annotations:
      summary: DNS leads clients to a wrong cluster for part of the time.
      description: Clients in {{`{{ $labels.source_cluster }}`}} get {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} from their own cluster and from another one in turns, though only one is right.
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceMixed.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=3'
      {{- end }}
  - alert: ClustersetLookupsFailing
    expr: sum without (instance, pod, container, endpoint, node) (increase(clusterset_dns_lookups_failed_total{lookup="client"}[{{ .Values.alerts.lookupWindow }}])) / (sum without (instance, pod, container, endpoint, node) (increase(clusterset_dns_lookups_total{lookup="client"}[{{ .Values.alerts.lookupWindow }}])) > 0) > {{ .Values.alerts.lookupRatio }}
    for: '{{ .Values.alerts.lookupFor }}'
    labels:
      severity: warning
    annotations:
      summary: Clients often get no address for the name of a service.
      description: '{{`{{ $value | humanizePercentage }}`}} of the look-ups of {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} that are made as clients in {{`{{ $labels.source_cluster }}`}} make them get no address.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetLookupsFailing.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=25'
      {{- end }}
  - alert: ClustersetResolversDisagree
    expr: clusterset_exporter_findings{kind="resolvers_disagree"} > 0
    for: '{{ .Values.alerts.resolversFor }}'
    labels:
      severity: warning
    annotations:
      summary: It depends on the name server that is asked to which cluster a service leads.
      description: 'The name servers that the exporter {{`{{ $labels.instance }}`}} uses lead to different clusters (services concerned: {{`{{ $value }}`}}).'
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetResolversDisagree.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=16'
      {{- end }}
  - alert: ClustersetNameServerStuck
    expr: clusterset_exporter_findings{kind="stuck_name_server"} > 0
    for: '{{ .Values.alerts.stuckFor }}'
    labels:
      severity: warning
    annotations:
      summary: A replica of the clusterset's name server keeps giving old answers.
      description: 'The clusterset''s name server that the exporter {{`{{ $labels.instance }}`}} asks keeps naming wrong clusters, though nothing changes (replicas concerned: {{`{{ $value }}`}}).'
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetNameServerStuck.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=16'
      {{- end }}
  - alert: ClustersetTunnelDown
    expr: min without (instance, pod, container, endpoint, node) (clusterset_gateway_connected{view="strict"}) == 0
    for: '{{ .Values.alerts.tunnelFor }}'
    labels:
      severity: critical
    annotations:
      summary: A cluster has no tunnel to another.
      description: '{{`{{ $labels.source_cluster }}`}} has no live tunnel to {{`{{ $labels.destination_cluster }}`}}, so neither could take over for the other.'
      command: kubectl --context {{`{{ $labels.source_cluster }}`}} --namespace submariner-operator get gateways.submariner.io --output=yaml
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetTunnelDown.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-overview?var-source_cluster={{`{{ $labels.source_cluster }}`}}&viewPanel=22'
      {{- end }}
  - alert: ClustersetAttributionMismatch
    expr: sum without (instance, pod, container, endpoint, node) (rate(clusterset_attribution_checks_total[{{ .Values.alerts.probesWindow }}])) > 0 unless on (destination_cluster, claimed_cluster, attributed_cluster) label_replace(sum by (destination_cluster, claimed_cluster) (rate(clusterset_attribution_checks_total[{{ .Values.alerts.probesWindow }}])), "attributed_cluster", "$1", "claimed_cluster", "(.+)")
    for: '{{ .Values.alerts.attributionFor }}'
    labels:
      severity: warning
    annotations:
      summary: Probes arrive with addresses of another cluster.
      description: 'Probes from {{`{{ $labels.claimed_cluster }}`}} reach {{`{{ $labels.destination_cluster }}`}} with addresses that belong to {{`{{ $labels.attributed_cluster }}`}}: CIDRs are wrong, or something rewrites addresses.'
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} get clusters.submariner.io --all-namespaces --output=yaml
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetAttributionMismatch.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?viewPanel=30'
      {{- end }}
  - alert: ClustersetProbesForged
    expr: increase(clusterset_exporter_probe_forgeries_total[{{ .Values.alerts.probesWindow }}]) > {{ .Values.alerts.forgeries }} or ignoring (reason) label_replace(increase(clusterset_exporter_probes_forged_total[{{ .Values.alerts.probesWindow }}]) > {{ .Values.alerts.forgeries }}, "reason", "see the board", "", "")
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: Requests claim to be probes of an exporter, and cannot be trusted.
      description: '{{`{{ $value | humanize }}`}} requests in the logs of the exporter {{`{{ $labels.instance }}`}} claim to be probes and cannot be trusted: {{`{{ $labels.reason }}`}}.'
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/metrics
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetProbesForged.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=31'
      {{- end }}
  - alert: ClustersetClockSkew
    expr: abs(clusterset_clock_skew_seconds) > {{ .Values.alerts.skewSeconds }}
    for: '{{ .Values.alerts.skewFor }}'
    labels:
      severity: warning
    annotations:
      summary: The clocks of two clusters differ.
      description: The clocks of {{`{{ $labels.source_cluster }}`}} and {{`{{ $labels.destination_cluster }}`}} differ by {{`{{ $value | humanizeDuration }}`}}.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetClockSkew.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=16'
      {{- end }}
  - alert: ClustersetExporterDown
    expr: up{job=~"{{ .Values.alerts.job }}"} == 0 or absent(up{job=~"{{ .Values.alerts.job }}"})
    for: '{{ .Values.alerts.exporterFor }}'
    labels:
      severity: critical
    annotations:
      summary: An exporter cannot be scraped, so nobody watches its cluster.
      description: Prometheus gets no series from the exporter {{`{{ $labels.instance }}`}}.
      command: kubectl --namespace {{ .Values.alerts.namespace }} get pods --selector=app.kubernetes.io/name=clusterset-exporter --output=wide
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterDown.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?viewPanel=2'
      {{- end }}
  - alert: ClustersetExporterTwoLeaders
    expr: count by (source_cluster) ((clusterset_exporter_leader == 1) * on (job, instance) group_left (source_cluster) clusterset_info) > 1
    for: '{{ .Values.alerts.leadersFor }}'
    labels:
      severity: warning
    annotations:
      summary: Two replicas of an exporter work at the same time.
      description: '{{`{{ $value }}`}} replicas of the exporter in {{`{{ $labels.source_cluster }}`}} lead at the same time, so requests and probes are counted more than once.'
      command: kubectl --namespace {{ .Values.alerts.namespace }} get pods --selector=app.kubernetes.io/name=clusterset-exporter --output=wide
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterTwoLeaders.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?viewPanel=2'
      {{- end }}
  - alert: ClustersetExporterInventoryStale
    expr: time() - clusterset_exporter_inventory_stale_since_timestamp_seconds > {{ .Values.alerts.staleSeconds }}
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: An exporter does not see changes of its cluster.
      description: The exporter {{`{{ $labels.instance }}`}} has not been able to see changes of its cluster for {{`{{ $value | humanizeDuration }}`}}.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterInventoryStale.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=10'
      {{- end }}
  - alert: ClustersetExporterReloadFailed
    expr: clusterset_exporter_config_last_reload_successful == 0 or clusterset_exporter_inventory_last_reload_successful == 0
    for: '{{ .Values.alerts.reloadFor }}'
    labels:
      severity: warning
    annotations:
      summary: An exporter runs with an old configuration or inventory.
      description: The exporter {{`{{ $labels.instance }}`}} goes on with an old configuration or inventory, because the newest one is broken.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{`{{ $labels.pod }}`}} -- clusterset-exporter config check --config.file=/etc/clusterset-exporter/config.yaml
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterReloadFailed.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=4'
      {{- end }}
  - alert: ClustersetExporterWatchFailing
    expr: clusterset_exporter_watch_state{state=~"listing|forbidden|failing"} == 1
    for: '{{ .Values.alerts.watchFor }}'
    labels:
      severity: warning
    annotations:
      summary: An exporter cannot read what it needs from the API server.
      description: 'The exporter {{`{{ $labels.instance }}`}} cannot read {{`{{ $labels.resource }}`}} from the API server (state of the watch: {{`{{ $labels.state }}`}}).'
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterWatchFailing.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=10'
      {{- end }}
  - alert: ClustersetExporterStale
    expr: time() - clusterset_exporter_watch_last_received_timestamp_seconds > {{ .Values.alerts.watchAgeSeconds }}
    for: 1m
    labels:
      severity: warning
    annotations:
      summary: An exporter has received nothing from the API server for a long time.
      description: The exporter {{`{{ $labels.instance }}`}} has received nothing about {{`{{ $labels.resource }}`}} from the API server for {{`{{ $value | humanizeDuration }}`}}.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterStale.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=11'
      {{- end }}
  - alert: ClustersetExporterLogFormatWrong
    expr: sum without (outcome) (increase(clusterset_exporter_log_lines_total{outcome="other"}[{{ .Values.alerts.formatWindow }}])) / (sum without (outcome) (increase(clusterset_exporter_log_lines_total[{{ .Values.alerts.formatWindow }}])) > 0) > {{ .Values.alerts.formatRatio }} and sum without (outcome) (increase(clusterset_exporter_log_lines_total{outcome="other"}[{{ .Values.alerts.formatWindow }}])) > {{ .Values.alerts.formatLines }}
    for: '{{ .Values.alerts.formatFor }}'
    labels:
      severity: warning
    annotations:
      summary: Most lines of a log are not in the format that is configured.
      description: '{{`{{ $value | humanizePercentage }}`}} of the lines that the exporter {{`{{ $labels.instance }}`}} reads from the log {{`{{ $labels.log }}`}} are not in the format that is configured.'
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterLogFormatWrong.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=14'
      {{- end }}
  - alert: ClustersetExporterLogsBehind
    expr: clusterset_exporter_log_behind_seconds > {{ .Values.alerts.logBehindSeconds }}
    for: '{{ .Values.alerts.logFor }}'
    labels:
      severity: warning
    annotations:
      summary: An exporter counts log lines late.
      description: The newest line of the log {{`{{ $labels.log }}`}} was {{`{{ $value | humanizeDuration }}`}} old when the exporter {{`{{ $labels.instance }}`}} read it.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/metrics
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterLogsBehind.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=12'
      {{- end }}
  - alert: ClustersetExporterLogsLost
    expr: increase(clusterset_exporter_log_drops_total[{{ .Values.alerts.probesWindow }}]) > 0 or increase(clusterset_exporter_log_errors_total[{{ .Values.alerts.probesWindow }}]) > 0 or increase(clusterset_exporter_log_gaps_total[{{ .Values.alerts.probesWindow }}]) > 0 or increase(clusterset_exporter_checkpoint_failures_total[{{ .Values.alerts.probesWindow }}]) > 0 or (clusterset_exporter_log_gaps_total > 0 unless clusterset_exporter_log_gaps_total offset {{ .Values.alerts.probesWindow }})
    for: '{{ .Values.alerts.logFor }}'
    labels:
      severity: warning
    annotations:
      summary: An exporter misses log lines, or cannot read a log or save its place in it.
      description: The exporter {{`{{ $labels.instance }}`}} misses lines of the log {{`{{ $labels.log }}`}}, cannot read it, or cannot save its place in it.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/api/v1/status
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterLogsLost.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=15'
      {{- end }}
  - alert: ClustersetExporterProbesSkipped
    expr: increase(clusterset_exporter_probes_not_made_total[{{ .Values.alerts.probesWindow }}]) > {{ .Values.alerts.skipped }} or ignoring (reason) increase(clusterset_exporter_probes_skipped_total[{{ .Values.alerts.probesWindow }}]) > {{ .Values.alerts.skipped }}
    for: 0s
    labels:
      severity: warning
    annotations:
      summary: An exporter does not make all its probes.
      description: The exporter {{`{{ $labels.instance }}`}} skipped {{`{{ $value | humanize }}`}} probes within {{ .Values.alerts.probesWindow }}.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/metrics
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterProbesSkipped.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=19'
      {{- end }}
  - alert: ClustersetExporterSeriesLimit
    expr: clusterset_exporter_series / clusterset_exporter_series_limit > {{ .Values.alerts.seriesRatio }} or increase(clusterset_exporter_series_dropped_total[{{ .Values.alerts.probesWindow }}]) > 0
    for: '{{ .Values.alerts.seriesFor }}'
    labels:
      severity: warning
    annotations:
      summary: An exporter has reached its limit of series, or soon will.
      description: The exporter {{`{{ $labels.instance }}`}} has little or no room for new series, and what does not fit is not counted.
      command: kubectl get --raw /api/v1/namespaces/{{ .Values.alerts.namespace }}/pods/{{`{{ $labels.pod }}`}}:9877/proxy/metrics
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterSeriesLimit.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?var-instance={{`{{ $labels.instance }}`}}&viewPanel=23'
      {{- end }}
