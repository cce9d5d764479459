"""Access logs of the past in, a report out."""
