"""Caches, and what tables share."""

import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fewter


def test_tables_share_the_default_session(dataset):
    assert fewter.open(dataset.uri).session is fewter.open(dataset.uri).session is fewter.default_session()
    assert fewter.open(dataset.uri, cache="none").session is not fewter.default_session()


def test_a_shared_session_reads_an_index_once(dataset, queries):
    session = fewter.Session("memory://?capacity=64MiB")
    for _ in range(2):
        table = fewter.open(dataset.uri, session=session)
        table.search(queries[0], nprobes=8, columns=[])
    assert table.io_stats()["index"]["requests"] == 0
    session.clear()
    assert session.stats()["entries"] == 0


def test_metrics(dataset, queries):
    session = fewter.Session("memory://")
    fewter.open(dataset.uri, session=session).search(queries, nprobes=2)
    lines = session.metrics().splitlines()
    assert "fewter_search_queries_total 5" in lines
    assert any(line.startswith("fewter_cache_hits_total{") for line in lines)


SEARCH = """
import sys, fewter
table = fewter.open(sys.argv[1], cache=sys.argv[2])
table.search([0.5] * 16, nprobes=8, columns=[])
print(table.io_stats()["index"]["requests"])
"""


@pytest.mark.parametrize("form", ["{}", "memory://,disk://{}?capacity=1GiB"])
def test_a_folder_survives_the_process(dataset, tmp_path, form):
    cache = form.format(tmp_path / "a cache").replace(" ", "%20" if "://" in form else " ")
    requests = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", SEARCH, dataset.uri, cache], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        requests.append(int(done.stdout))
    assert requests[0] > 0 and requests[1] == 0
    assert (tmp_path / "a cache").is_dir()


def test_caches_that_make_no_sense(dataset):
    for cache in ["floppy://a", "memory://?capacity=much", [], ["memory://", "none://"]]:
        with pytest.raises(ValueError):
            fewter.Session(cache)
    with pytest.raises(TypeError):
        fewter.Session(7)


def test_names_of_folders_that_are_mistyped_uris(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for cache in ["redis", "memory", "redis:/x", "memory:", "host:6379", ["memory://", "disk"], "redis:/u:secret@host"]:
        with pytest.raises(ValueError, match="redis://host:6379") as raised:
            fewter.Session(cache)
        assert "secret" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    for cache in ["./redis", "folder", "folder/a:b", pathlib.Path("a:b")]:
        assert repr(fewter.Session(cache)).startswith("<fewter.Session: memory, disk; 0 entries")
        assert pathlib.Path(cache).is_dir()


def test_other_threads_go_on_while_one_searches(dataset, values):
    """No thread is made to give up the lock, so that the count moves on only if the search lets go of it."""
    table = fewter.open(dataset.uri, cache="memory://")
    many = np.tile(values, (4, 1))
    table.search(many[:1], use_index=False)
    ticks, seen, done = [0], [], threading.Event()

    def search():
        before = ticks[0]
        table.search_arrays(many, 10, use_index=False)
        seen.extend([before, ticks[0]])
        done.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread = threading.Thread(target=search)
        thread.start()
        while not done.is_set():
            ticks[0] += 1
            time.sleep(0)
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert seen[1] > seen[0]


def test_many_threads_find_what_one_finds(dataset, queries):
    table = fewter.open(dataset.uri, cache="memory://?capacity=100KiB")
    expected = [table.search(query, 5) for query in queries]
    wrong = []

    def search():
        for _ in range(20):
            for query, right in zip(queries, expected):
                if table.search(query, 5) != right:
                    wrong.append(query)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


FORK = """
import os, sys, fewter
table = fewter.open(sys.argv[1], cache=sys.argv[2])
query = [0.5] * 16
expected = table.search(query, nprobes=8, query_parallelism=-1)
child = os.fork()
if child == 0:
    # Of the parent's table, and of one of its own.
    again = fewter.open(sys.argv[1], cache=sys.argv[2])
    os._exit(0 if table.search(query, nprobes=8, query_parallelism=-1) == expected == again.search(query, nprobes=8) else 1)
assert os.waitpid(child, 0)[1] == 0
assert table.search(query, nprobes=8) == expected
"""


@pytest.mark.parametrize("cache", ["memory://", "folder"])
def test_a_forked_process_searches(dataset, tmp_path, cache):
    where = str(tmp_path / "cache") if cache == "folder" else cache
    done = subprocess.run([sys.executable, "-c", FORK, dataset.uri, where], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
