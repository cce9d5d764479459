"""Status in, one HTML page out, whole in itself; it asks nothing and nobody."""
