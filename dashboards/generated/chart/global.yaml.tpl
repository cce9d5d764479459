groups:
- name: clusterset-exporter-global-recordings
  rules:
  - record: service:clusterset_request_failures_per_requests:ratio_rate5m
    expr: sum by (destination_service_namespace, destination_service_name) (destination_service:clusterset_request_failures:rate5m) / (sum by (destination_service_namespace, destination_service_name) (destination_service_locality:clusterset_requests:rate5m) > 0)
  - record: service:clusterset_request_failures_per_requests:ratio_rate30m
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service:clusterset_request_failures:rate5m[30m])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m[30m])) > 0)
  - record: service:clusterset_request_failures_per_requests:ratio_rate1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service:clusterset_request_failures:rate5m[1h])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m[1h])) > 0)
  - record: service:clusterset_request_failures_per_requests:ratio_rate6h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service:clusterset_request_failures:rate5m[6h])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m[6h])) > 0)
  - record: service:clusterset_leaks_per_requests:ratio_rate5m
    expr: sum by (destination_service_namespace, destination_service_name) (destination_service_locality:clusterset_requests:rate5m{locality="leak"}) / (sum by (destination_service_namespace, destination_service_name) (destination_service_locality:clusterset_requests:rate5m{locality=~"local|leak"}) > 0)
  - record: service:clusterset_leaks_per_requests:ratio_rate30m
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality="leak"}[30m])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality=~"local|leak"}[30m])) > 0)
  - record: service:clusterset_leaks_per_requests:ratio_rate1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality="leak"}[1h])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality=~"local|leak"}[1h])) > 0)
  - record: service:clusterset_leaks_per_requests:ratio_rate6h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality="leak"}[6h])) / (sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality=~"local|leak"}[6h])) > 0)
- name: clusterset-exporter-global-slow-recordings
  interval: 2m
  rules:
  - record: service:clusterset_request_failures_per_requests:bad_sum1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service:clusterset_request_failures:rate5m[1h]))
  - record: service:clusterset_request_failures_per_requests:all_sum1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m[1h]))
  - record: service:clusterset_request_failures_per_requests:ratio_rate3d
    expr: sum_over_time(service:clusterset_request_failures_per_requests:bad_sum1h[3d:1h]) / (sum_over_time(service:clusterset_request_failures_per_requests:all_sum1h[3d:1h]) > 0)
  - record: service:clusterset_leaks_per_requests:bad_sum1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality="leak"}[1h]))
  - record: service:clusterset_leaks_per_requests:all_sum1h
    expr: sum by (destination_service_namespace, destination_service_name) (sum_over_time(destination_service_locality:clusterset_requests:rate5m{locality=~"local|leak"}[1h]))
  - record: service:clusterset_leaks_per_requests:ratio_rate3d
    expr: sum_over_time(service:clusterset_leaks_per_requests:bad_sum1h[3d:1h]) / (sum_over_time(service:clusterset_leaks_per_requests:all_sum1h[3d:1h]) > 0)
- name: clusterset-exporter-global-alerts
  rules:
  - alert: ClustersetServiceNotRedundant
    expr: sum by (destination_service_namespace, destination_service_name) (max by (destination_cluster, destination_service_namespace, destination_service_name) (clusterset_service_ready)) == 1 and count by (destination_service_namespace, destination_service_name) (max by (destination_cluster, destination_service_namespace, destination_service_name) (clusterset_service_ready)) > 1
    for: '{{ .Values.alerts.redundancyFor }}'
    labels:
      severity: warning
    annotations:
      summary: A service that several clusters export is ready in only one of them.
      description: '{{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} is ready in only one of the clusters that export it.'
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetServiceNotRedundant.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=19'
      {{- end }}
  - alert: ClustersetViewDisagreement
    expr: max by (destination_cluster, destination_service_namespace, destination_service_name) (clusterset_service_ready) != min by (destination_cluster, destination_service_namespace, destination_service_name) (clusterset_service_ready)
    for: '{{ .Values.alerts.viewFor }}'
    labels:
      severity: warning
    annotations:
      summary: Clusters disagree on whether a service is ready in one of them.
      description: Some clusters see {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} as ready in {{`{{ $labels.destination_cluster }}`}}, and others do not.
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetViewDisagreement.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=19'
      {{- end }}
  - alert: ClustersetErrorBudgetBurn
    expr: service:clusterset_request_failures_per_requests:ratio_rate1h > {{ .Values.alerts.burnFast }} * (1 - {{ .Values.alerts.slo }}) and service:clusterset_request_failures_per_requests:ratio_rate5m > {{ .Values.alerts.burnFast }} * (1 - {{ .Values.alerts.slo }})
    for: '{{ .Values.alerts.burnFastFor }}'
    labels:
      severity: critical
      window: 1h
    annotations:
      summary: More requests of a service fail than its objective allows.
      description: In the last 1h, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} failed.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetErrorBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=6'
      {{- end }}
  - alert: ClustersetErrorBudgetBurn
    expr: service:clusterset_request_failures_per_requests:ratio_rate6h > {{ .Values.alerts.burnSlow }} * (1 - {{ .Values.alerts.slo }}) and service:clusterset_request_failures_per_requests:ratio_rate30m > {{ .Values.alerts.burnSlow }} * (1 - {{ .Values.alerts.slo }})
    for: '{{ .Values.alerts.burnSlowFor }}'
    labels:
      severity: warning
      window: 6h
    annotations:
      summary: More requests of a service fail than its objective allows.
      description: In the last 6h, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} failed.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetErrorBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=6'
      {{- end }}
  - alert: ClustersetErrorBudgetBurn
    expr: service:clusterset_request_failures_per_requests:ratio_rate3d > {{ .Values.alerts.burnLong }} * (1 - {{ .Values.alerts.slo }}) and service:clusterset_request_failures_per_requests:ratio_rate6h > {{ .Values.alerts.burnLong }} * (1 - {{ .Values.alerts.slo }})
    for: '{{ .Values.alerts.burnLongFor }}'
    labels:
      severity: warning
      window: 3d
    annotations:
      summary: More requests of a service fail than its objective allows.
      description: In the last 3d, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} failed.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetErrorBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=6'
      {{- end }}
  - alert: ClustersetLocalityBudgetBurn
    expr: service:clusterset_leaks_per_requests:ratio_rate1h > {{ .Values.alerts.burnFast }} * (1 - {{ .Values.alerts.sloLocality }}) and service:clusterset_leaks_per_requests:ratio_rate5m > {{ .Values.alerts.burnFast }} * (1 - {{ .Values.alerts.sloLocality }})
    for: '{{ .Values.alerts.burnFastFor }}'
    labels:
      severity: critical
      window: 1h
    annotations:
      summary: More requests of a service go to another cluster than its objective allows, although their own is ready.
      description: In the last 1h, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} went to another cluster although their own was ready.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetLocalityBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=7'
      {{- end }}
  - alert: ClustersetLocalityBudgetBurn
    expr: service:clusterset_leaks_per_requests:ratio_rate6h > {{ .Values.alerts.burnSlow }} * (1 - {{ .Values.alerts.sloLocality }}) and service:clusterset_leaks_per_requests:ratio_rate30m > {{ .Values.alerts.burnSlow }} * (1 - {{ .Values.alerts.sloLocality }})
    for: '{{ .Values.alerts.burnSlowFor }}'
    labels:
      severity: warning
      window: 6h
    annotations:
      summary: More requests of a service go to another cluster than its objective allows, although their own is ready.
      description: In the last 6h, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} went to another cluster although their own was ready.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetLocalityBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=7'
      {{- end }}
  - alert: ClustersetLocalityBudgetBurn
    expr: service:clusterset_leaks_per_requests:ratio_rate3d > {{ .Values.alerts.burnLong }} * (1 - {{ .Values.alerts.sloLocality }}) and service:clusterset_leaks_per_requests:ratio_rate6h > {{ .Values.alerts.burnLong }} * (1 - {{ .Values.alerts.sloLocality }})
    for: '{{ .Values.alerts.burnLongFor }}'
    labels:
      severity: warning
      window: 3d
    annotations:
      summary: More requests of a service go to another cluster than its objective allows, although their own is ready.
      description: In the last 3d, {{`{{ $value | humanizePercentage }}`}} of the requests for {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}} went to another cluster although their own was ready.
      command: kubectl --namespace {{ .Values.alerts.namespace }} exec {{ .Values.alerts.workload }} -- clusterset-exporter check --config.file=/etc/clusterset-exporter/config.yaml {{`{{ $labels.destination_service_namespace }}`}}/{{`{{ $labels.destination_service_name }}`}}
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetLocalityBudgetBurn.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-service?var-namespace={{`{{ $labels.destination_service_namespace }}`}}&var-service={{`{{ $labels.destination_service_name }}`}}&viewPanel=7'
      {{- end }}
  - alert: ClustersetExporterMissing
    expr: max by (destination_cluster) (clusterset_gateway_connected{view="strict"}) >= 0 unless on (destination_cluster) label_replace(clusterset_info, "destination_cluster", "$1", "source_cluster", "(.+)")
    for: '{{ .Values.alerts.exporterFor }}'
    labels:
      severity: critical
    annotations:
      summary: A cluster of the clusterset has no exporter.
      description: Other clusters know {{`{{ $labels.destination_cluster }}`}}, but Prometheus has no series from an exporter there.
      command: kubectl --context {{`{{ $labels.destination_cluster }}`}} --namespace {{ .Values.alerts.namespace }} get pods --selector=app.kubernetes.io/name=clusterset-exporter --output=wide
      {{- if .Values.alerts.runbookUrl }}
      runbook_url: '{{ .Values.alerts.runbookUrl }}/ClustersetExporterMissing.md'
      {{- end }}
      {{- if .Values.alerts.dashboardUrl }}
      dashboard_url: '{{ .Values.alerts.dashboardUrl }}/d/clusterset-exporter?viewPanel=2'
      {{- end }}
