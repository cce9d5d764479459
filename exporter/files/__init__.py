"""A path in; the text of a small file out, or an error in one line. It never reads large files."""
