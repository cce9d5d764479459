"""Runs the coroutines of probes: what they wait for in, results out; knows nothing of targets."""
