"""Talks to one API server: requests in; objects, log lines and leadership out; no judgement."""
