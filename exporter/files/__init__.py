"""
A path in; the content of a small file out, or an error in one line. Own files are replaced.

It never reads large files, and never waits for what is no regular file.
"""
