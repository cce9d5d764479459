"""Annotations of this product that both Services and pods may have."""

LOG_CONTAINER = "clusterset-exporter/log-container"
"""Names the container that writes the access log."""
LOG_FORMAT = "clusterset-exporter/log-format"
"""Says how the lines of the access log look."""
