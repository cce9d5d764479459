"""A log format in, a compiled expression and its fields out; it reads no line."""
