"""Cache backends written in Python."""

import subprocess
import sys
import threading
import time

import pytest

import fewter


class Dictionary(fewter.CacheBackend):
    def __init__(self):
        self.entries = {}

    def get(self, name):
        return self.entries.get(name)

    def insert(self, name, value):
        self.entries[name] = value

    def invalidate_prefix(self, prefix):
        for name in [name for name in self.entries if name.startswith(prefix)]:
            del self.entries[name]

    def size(self):
        return len(self.entries), sum(len(value) for value in self.entries.values())


def search(dataset, cache, query):
    table = fewter.open(dataset.uri, cache=cache)
    return table.search(query, 5, nprobes=8), table


def test_entries_are_kept_as_bytes(dataset, queries):
    backend = Dictionary()
    expected, first = search(dataset, backend, queries[0])
    assert first.io_stats()["index"]["requests"] > 0
    assert backend.entries and all(isinstance(value, bytes) for value in backend.entries.values())
    found, second = search(dataset, backend, queries[0])
    assert found == expected
    assert second.io_stats()["index"]["requests"] == 0
    (tier,) = second.session.stats()["tiers"]
    assert (tier["kind"], tier["state"], tier["faults"]) == ("python", "healthy", {})
    assert (tier["entries"], tier["bytes"]) == backend.size()
    assert second.prewarm().resident == {"python": 8}


def test_a_scan_may_be_dropped_while_the_backend_is_asked(dataset):
    class Slow(Dictionary):
        def get(self, name):
            time.sleep(0.05)
            return super().get(name)

    reader = fewter.open(dataset.uri, cache=Slow()).scan(batch_size=100)
    assert reader.read_next_batch().num_rows == 100
    del reader


def test_names(dataset, queries):
    backend = Dictionary()
    search(dataset, backend, queries[0])
    uuid = dataset.describe_indices()[0].segments[0].uuid
    assert any(name.startswith(f"index/{uuid}/") for name in backend.entries)
    for name in backend.entries:
        *segments, digest = name.split("/")
        assert len(digest) == 32 and int(digest, 16) >= 0
        assert all(segment and not set(segment) & set(' "\\?:') for segment in segments)


def test_as_one_of_several_tiers(dataset, queries):
    backend = Dictionary()
    expected, table = search(dataset, ["memory://?capacity=64MiB", backend], queries[0])
    assert [tier["kind"] for tier in table.session.stats()["tiers"]] == ["memory", "python"]
    found, table = search(dataset, ["memory://?capacity=64MiB", backend], queries[0])
    assert found == expected and table.io_stats()["index"]["requests"] == 0
    hits = table.session.stats()["tiers"][1]["hits"]
    table.search(queries[0], 5, nprobes=8)
    assert table.session.stats()["tiers"][1]["hits"] == hits, "memory has what was found below it"
    table.session.clear()
    assert backend.entries == {}


class Views(Dictionary):
    """Gives what it has as something else with bytes."""

    def get(self, name):
        value = self.entries.get(name)
        return None if value is None else memoryview(bytearray(b"...." + value))[4:]


def test_any_object_with_bytes_will_do(dataset, queries):
    backend = Views()
    expected, _ = search(dataset, backend, queries[0])
    found, table = search(dataset, backend, queries[0])
    assert found == expected and table.io_stats()["index"]["requests"] == 0


def test_damaged_bytes_are_misses_with_a_reason(dataset, queries):
    backend = Dictionary()
    expected, _ = search(dataset, backend, queries[0])
    backend.entries = {
        name: value[:-1] if number % 3 == 0 else b"" if number % 3 == 1 else value[:200] + b"\xff" * (len(value) - 200)
        for number, (name, value) in enumerate(backend.entries.items())
    }
    found, table = search(dataset, backend, queries[0])
    assert found == expected
    (tier,) = table.session.stats()["tiers"]
    assert sum(tier["faults"].values()) > 0 and tier["state"] == "healthy"


class Broken(Dictionary):
    def __init__(self, *broken, result=None):
        super().__init__()
        self.broken, self.result, self.calls = broken, result, 0

    def __getattribute__(self, name):
        if name in object.__getattribute__(self, "__dict__").get("broken", ()):
            return self._fail
        return super().__getattribute__(name)

    def _fail(self, *arguments):
        self.calls += 1
        if self.result is not None:
            return self.result
        raise ConnectionError("the line is cut")


@pytest.mark.parametrize(
    "broken", [("get",), ("insert",), ("get", "insert"), ("contains", "size", "flush"), ("clear",)]
)
def test_what_it_raises_is_a_miss(dataset, queries, broken):
    expected, _ = search(dataset, "memory://", queries[0])
    backend = Broken(*broken)
    for _ in range(2):
        found, table = search(dataset, backend, queries[0])
        assert found == expected
    table.prewarm()
    table.session.clear()
    table.session.flush()
    (tier,) = table.session.stats()["tiers"]
    assert backend.calls > 0
    if set(broken) & {"get", "insert", "clear"}:
        assert tier["last_message"] == "ConnectionError: the line is cut"
        assert sum(tier["faults"].values()) > 0
    if "get" in broken:
        assert tier["state"] == "bypassed" and backend.calls < 30, "left alone after three failures"


@pytest.mark.parametrize("result", ["text", 7, [1, 2]])
def test_results_of_the_wrong_type_are_misses(dataset, queries, result):
    expected, _ = search(dataset, "memory://", queries[0])
    found, table = search(dataset, Broken("get", "contains", "size", result=result), queries[0])
    assert found == expected
    assert table.session.stats()["tiers"][0]["last_message"] != ""


class Meeting(Dictionary):
    """The first call returns only when there is a second one, which the same search would make after it."""

    def __init__(self):
        super().__init__()
        self.barrier = threading.Barrier(2, timeout=30)
        self.first_two = iter(range(2))

    def get(self, name):
        if next(self.first_two, None) is not None:
            self.barrier.wait()
        return super().get(name)


def test_two_threads_search_at_once(dataset, queries):
    backend = Meeting()
    table = fewter.open(dataset.uri, cache=backend)
    found = []
    threads = [
        threading.Thread(target=lambda query=query: found.append(table.search(query, nprobes=1, columns=[])))
        for query in (queries[0], queries[0])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    assert not backend.barrier.broken


def test_a_backend_without_a_method_is_refused():
    class Half(fewter.CacheBackend):
        def get(self, name):
            return None

    with pytest.raises(TypeError, match="insert"):
        Half()


AT_EXIT = """
import sys, fewter
sys.path.insert(0, sys.argv[2])
from test_backend import Dictionary
table = fewter.open(sys.argv[1], cache=["memory://", Dictionary()])
kept = table.search([0.5] * 16, nprobes=8)
"""


def test_the_interpreter_ends_while_entries_are_held(dataset, request):
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT, dataset.uri, str(request.path.parent)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
