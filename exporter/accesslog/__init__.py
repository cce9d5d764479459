"""Reads what was served: log files in, counts by source out; keeps no line and judges nothing."""
