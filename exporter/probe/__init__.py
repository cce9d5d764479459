"""Asks as a client would: targets in, one Probe for each try out; no retries, no verdicts."""
