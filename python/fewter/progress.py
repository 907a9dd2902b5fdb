"""Progress bars of whatever package is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Called with partitions done, partitions, and bytes read.
ProgressCallback = Callable[[int, int, int], Any]


@contextmanager
def _tqdm_bar(description: str) -> Iterator[ProgressCallback]:
    from tqdm.auto import tqdm

    with tqdm(desc=description, unit="partition") as bar:

        def show(done: int, total: int, read: int) -> None:
            bar.total = total
            bar.set_postfix(read=f"{read / 2**20:.1f} MiB", refresh=False)
            bar.update(done - bar.n)

        yield show


@contextmanager
def _rich_bar(description: str) -> Iterator[ProgressCallback]:
    from rich.progress import Progress  # pyright: ignore[reportMissingImports]

    with Progress() as bar:
        task = bar.add_task(description, total=None)

        def show(done: int, total: int, read: int) -> None:
            bar.update(task, completed=done, total=total, description=f"{description} ({read / 2**20:.1f} MiB)")

        yield show


@contextmanager
def progress_callback(choice: bool | ProgressCallback, description: str) -> Iterator[ProgressCallback | None]:
    """What to call with the progress: the caller's function; for True, a bar of tqdm or else of rich, or nothing if
    neither is installed; nothing for False."""
    if callable(choice):
        yield choice
        return
    if choice:
        for bar in (_tqdm_bar, _rich_bar):
            try:
                shown = bar(description)
                callback = shown.__enter__()
            except ImportError:
                continue
            try:
                yield callback
            finally:
                shown.__exit__(None, None, None)
            return
    yield None
