"""Speaks to one API server: requests in; objects, log lines and leadership out; knows no stage."""
