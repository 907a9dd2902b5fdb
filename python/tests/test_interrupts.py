"""Ctrl-C and cancelled tasks: what is under way ends soon, and the table can be searched as before."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pyarrow as pa
import pytest
from conftest import DIMENSION, vectors_of

import fewter

# Work that takes minutes unless it is ended: the parent interrupts it a moment after it has begun.
PROGRAM = """
    import signal, sys, time
    import numpy as np
    import fewter

    signal.signal(signal.SIGINT, signal.default_int_handler)
    table = fewter.open(sys.argv[1], cache="memory://")
    many = np.ones((200_000, {dimension}), np.float32)
    print("ready", flush=True)
    begin = time.monotonic()
    try:
        {work}
    except KeyboardInterrupt:
        assert table.search(many[0], 1).num_rows == 1
        print("interrupted after", time.monotonic() - begin, flush=True)
"""


@pytest.fixture(autouse=True)
def interruptible():
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Rows of which an exact search by many queries takes minutes."""
    import lance

    values = np.random.default_rng(5).normal(size=(60_000, DIMENSION)).astype(np.float32)
    uri = str(tmp_path_factory.mktemp("large") / "x.lance")
    lance.write_dataset(pa.table({"vector": vectors_of(values)}), uri, max_rows_per_file=500).create_index(
        "vector", "IVF_FLAT", num_partitions=60
    )
    return uri


@pytest.mark.parametrize(
    "work",
    [
        "table.search(many, 10, use_index=False, columns=[])",
        "table.search(many, 10, nprobes=60, columns=[])",
        "table.search_arrays(many, 10, nprobes=60)",
        "table.prewarm(bytes_per_second=1000)",
        "while True: table.scan().read_all()",
    ],
)
def test_ctrl_c(large, work):
    program = textwrap.dedent(PROGRAM).format(dimension=DIMENSION, work=work)
    with subprocess.Popen([sys.executable, "-c", program, large], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        # Long enough for a machine that is busy, and far too short for the work.
        said, _ = child.communicate(timeout=30)
    assert child.returncode == 0
    assert said.startswith("interrupted after")


def test_a_handler_that_only_takes_note_ends_nothing(table, queries):
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(1))
    try:
        many = np.repeat(queries, 4000, axis=0)
        threading.Timer(0.02, signal.raise_signal, [signal.SIGINT]).start()
        found = table.search_arrays(many, 1, use_index=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == [1]
    assert len(found[0]) == len(many)


def test_ctrl_c_in_a_backend_written_in_python_is_no_fault_of_it(dataset, queries):
    class Interrupted(fewter.CacheBackend):
        def get(self, name):
            signal.raise_signal(signal.SIGINT)

        def insert(self, name, value):
            pass

        def invalidate_prefix(self, prefix):
            pass

    with pytest.raises(KeyboardInterrupt):
        fewter.open(dataset.uri, cache=["memory://", Interrupted()]).search(queries[0])


def test_a_cancelled_task_ends_its_search(large):
    table = fewter.open(large, cache="memory://")
    many = np.ones((200_000, DIMENSION), np.float32)

    async def give_up():
        task = asyncio.create_task(table.search_async(many, 10, use_index=False, columns=[]))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await table.search_async(many[0], 3)) == 3

    # Waits for the executor's threads at its end: without an end of the search, for minutes.
    begin = time.monotonic()
    asyncio.run(give_up())
    assert time.monotonic() - begin < 30
