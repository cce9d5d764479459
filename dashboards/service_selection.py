"""Which series the board of one service reads, and why there may be none."""

SERVICE = 'destination_service_namespace="$namespace",destination_service_name="$service"'
FROM = f'{SERVICE},source_cluster=~"$source_cluster"'
NO_PROBES = "No probes of this service: it is not in the inventory, or not probed"
NO_REQUESTS = "No client requests of this service in the logs"
NO_KUBERNETES = "Not reported: this needs an inventory from Kubernetes"
