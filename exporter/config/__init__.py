"""Text in; frozen values out, or one error line with what would work. It never reads a file."""
