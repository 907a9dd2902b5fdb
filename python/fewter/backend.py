"""Cache backends written in Python."""

from __future__ import annotations

import abc


class CacheBackend(abc.ABC):
    """A place for cache entries, to be given to `Session` alone or as one of several tiers:

        class Folder(fewter.CacheBackend): ...
        session = fewter.Session(cache=["memory://?capacity=512MiB", Folder("/srv/cache")])

    An entry has a name and bytes. Names are ASCII, of the form `index/6a1f…/3f2a…`: a namespace, whose segments end in
    slashes and hold nothing but letters, digits and `-._%`, and 32 hexadecimal digits. Entries never change, so none is
    ever stale; forgetting one costs time only. The bytes carry their full name and checksums, which are verified when
    they come back: damaged ones are misses.

    The functions are called from any thread, several at a time, with the interpreter's lock. What they raise becomes a
    miss, and is counted and told by `Session.stats()`; after three failures in a row the backend is left alone for a
    second, or longer the more often it fails. `get` is on the path of a query that misses in the tiers before, so a
    backend that is slow should raise `TimeoutError` rather than wait. A backend must not use the session that uses it.
    """

    @abc.abstractmethod
    def get(self, name: str) -> bytes | bytearray | memoryview | None:
        """The bytes that were inserted by that name, or None. They must not change afterwards."""

    @abc.abstractmethod
    def insert(self, name: str, value: bytes) -> None:
        """Keeps an entry, or leaves it. There may be one by that name already, which is then replaced."""

    @abc.abstractmethod
    def invalidate_prefix(self, prefix: str) -> None:
        """Forgets the entries whose names begin with the prefix; best effort is enough."""

    def clear(self) -> None:
        """Forgets all entries."""
        self.invalidate_prefix("")

    def contains(self, name: str) -> bool:
        """Whether the entry is there; asked by `Table.prewarm`, to report where everything is."""
        return self.get(name) is not None

    def size(self) -> tuple[int, int]:
        """How many entries there are, and how many bytes they have together, for statistics."""
        return 0, 0

    def flush(self) -> None:
        """Returns when what was inserted is as safe as this backend makes it."""
