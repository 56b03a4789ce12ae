"""Logs: one JSON object a line on stderr, from our own code and from the libraries alike; never personal data.

Whatever may quote data is left out by construction: of an exception only its kinds and the places it passed are
logged, not its words (a database error quotes the row it is about), and of a library's message only the first line.
"""

import logging
import sys
import traceback
from typing import Any

import structlog
from structlog.types import EventDict, Processor

from torv.base.errors import TorvError

FRAMES = 12  #: of each traceback, innermost last


def configure(level: str) -> None:
    """Log what is at least as serious as `level` (debug, info, warning, error). Calling it again replaces what was set.

    Called when a process starts, and again inside a server that has set up loggers of its own meanwhile.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    logging.basicConfig(level=threshold, handlers=[handler], force=True)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # so that a later configure reaches loggers made at import
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _formatter() -> logging.Formatter:
    finish: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _describe_exception,
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), _first_line], processors=finish, pass_foreign_args=True
    )


def _first_line(_: Any, __: str, event: EventDict) -> EventDict:
    event["event"] = str(event["event"]).partition("\n")[0]
    event.pop("positional_args", None)
    return event


def _describe_exception(_: Any, __: str, event: EventDict) -> EventDict:
    """Replace an exception, and those that caused it, by their kinds and the places they passed."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info is True else info
    event.pop("stack_info", None)
    if isinstance(error, BaseException):
        event["exception"] = [{"kind": _kind(each), "passed": _places(each)} for each in _chain(error)]
    return event


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _kind(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{kind} ({error.code})" if isinstance(error, TorvError) else kind


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
