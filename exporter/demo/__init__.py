"""A clusterset on one machine: a story in, a table of what was staged and what was reported out."""
