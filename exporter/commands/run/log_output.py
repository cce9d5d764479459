"""The process's own log messages: structlog in, lines on standard error out."""

import logging
import sys

import structlog


def log_to_stderr(level: str, form: str) -> None:
    """
    Write log messages to standard error.

    Args:
        level: The least severe level that is written: debug, info, warn or error.
        form: json for JSON lines, anything else for logfmt.
    """
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
