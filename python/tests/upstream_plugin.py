"""A pytest plugin that has fewter answer every vector search of pylance's own tests:

    PYTHONPATH=python/tests .venv/bin/python -m pytest -p upstream_plugin LANCE/python/python/tests/test_vector_index.py

where LANCE is a checkout of Lance's repository. Says at the end which searches pylance answered all the same, and why.
docs/python.md has what comes of it.
"""

import collections
import logging
import re
from typing import Any

import lance

import fewter
from fewter.accelerate import AcceleratedDataset

_scanner = lance.LanceDataset.scanner
_searches: collections.Counter[str] = collections.Counter()
_passed_on: collections.Counter[str] = collections.Counter()


class _Itself:
    """A dataset as it was before its scanner was replaced."""

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def scanner(self, *args: Any, **options: Any) -> Any:
        return _scanner(self._dataset, *args, **options)


class _Reasons(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _passed_on[re.sub(r"[0-9a-f]{8}-[-0-9a-f]+|\d+", "#", record.getMessage())] += 1


def _accelerated_scanner(self: lance.LanceDataset, *args: Any, **options: Any) -> Any:
    if options.get("nearest") is None:
        return _scanner(self, *args, **options)
    _searches["all"] += 1
    try:
        dataset = AcceleratedDataset(_Itself(self), fewter.default_session(), None)
    except (ValueError, LookupError, OSError, NotImplementedError) as error:
        _passed_on[f"cannot be opened: {error}"] += 1
        return _scanner(self, *args, **options)
    return dataset.scanner(*args, **options)


def pytest_configure() -> None:
    lance.LanceDataset.scanner = _accelerated_scanner
    logger = logging.getLogger("fewter")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Reasons())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    passed_on = sum(_passed_on.values())
    terminalreporter.write_line(f"{_searches['all']} vector searches, of which pylance answered {passed_on}:")
    for reason, count in _passed_on.most_common():
        terminalreporter.write_line(f"  {count}  {reason}")
