groups:
- name: clusterset-exporter-renamed-recordings
  rules:
  - record: clusterset_exporter_dns_strangers_total
    expr: clusterset_exporter_dns_mismatched_responses_total
  - record: clusterset_exporter_log_bytes_behind
    expr: clusterset_exporter_log_behind_bytes
  - record: clusterset_exporter_log_seconds_behind
    expr: clusterset_exporter_log_behind_seconds
  - record: clusterset_exporter_watch_age_seconds
    expr: time() - clusterset_exporter_watch_last_received_timestamp_seconds
