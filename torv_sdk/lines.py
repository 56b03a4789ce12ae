"""The module's log: one line of JSON for each thing that happened, without personal data."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": datetime.fromtimestamp(record.created, UTC).isoformat(), "level": record.levelname.lower()}
        line |= {"event": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info and record.exc_info[1]:
            # An exception's own text may quote what somebody wrote; its kind and place say enough.
            frames = traceback.extract_tb(record.exc_info[2])[-8:]
            line |= {
                "error": type(record.exc_info[1]).__name__,
                "where": " < ".join(f"{f.name}:{f.lineno}" for f in frames),
            }
        return json.dumps(line, ensure_ascii=False)


def log_lines() -> None:
    """Send everything the program logs to stderr as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
