"""A story in; a clusterset on loopback addresses, and a table of what was staged and reported."""
