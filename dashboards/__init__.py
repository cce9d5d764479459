"""Series in; boards, rules and an Alertmanager example out, as files. No part of the exporter."""
