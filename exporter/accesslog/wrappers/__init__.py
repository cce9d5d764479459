"""Wrapped lines in, plain lines out: what a container runtime put around them goes."""
