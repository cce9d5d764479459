"""`report`: what a Prometheus knows of the past days in, one page out; it changes nothing."""
