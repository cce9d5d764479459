"""The daemon: stages, what one tells the next, start, reload and stop."""
