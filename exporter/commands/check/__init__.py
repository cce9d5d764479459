"""One look at a service and its cluster: a report in words out."""
