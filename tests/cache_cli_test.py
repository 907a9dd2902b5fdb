"""Caches that outlive a process, as the command line uses them."""

import fcntl
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import time

import pytest

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
DATASET = str(SOURCE / "examples" / "packages.lance")
QUERIES = str(SOURCE / "examples" / "packages_queries.npy")
PARTS = 16 + 2  # partitions; the state, and the metadata of the file that they are in


def run(*arguments, code=0):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    if code != 0:
        assert done.stderr, "an error says something on stderr"
    return done


def query(*arguments, code=0):
    """The answers, and the stats."""
    done = run("query", DATASET, "--column", "vector", "--vector", QUERIES, "--nprobes", 16, "--json", "--stats",
               *arguments, code=code)
    *answers, stats = [json.loads(line) for line in done.stdout.splitlines()]
    return answers, stats["stats"]


def tier(stats, kind):
    (found,) = [tier for tier in stats["cache"]["tiers"] if tier["kind"] == kind]
    return found


def uuid():
    index = json.loads(run("info", DATASET, "--json").stdout)["indexes"][0]
    return index["segments"][0]["uuid"]


def test_a_second_process_reads_no_index_part(cache_folder):
    cold_answers, cold = query()
    assert cold["io"]["index"]["requests"] >= 4
    assert cold["cache"]["loads"] >= PARTS
    assert tier(cold, "disk")["bytes"] > 500_000, "taken before the end"
    warm_answers, warm = query()
    assert warm_answers == cold_answers
    assert warm["io"]["index"] == {"requests": 0, "bytes": 0}
    assert warm["cache"]["loads"] == 0
    # All that was asked for came from disk once, and then from memory.
    assert tier(warm, "disk")["hits"] == 17
    assert tier(warm, "memory")["hits"] == 5 * 16
    assert tier(warm, "disk")["types"]["fewter.vector.Partition"]["hits"] == 16
    # What lies in the mapped file costs the heap next to nothing.
    assert tier(warm, "memory")["mapped_bytes"] > 500_000
    assert warm["cache"]["bytes"] < 120_000
    assert cache_folder.is_dir()


def test_without_a_cache_nothing_is_left(cache_folder):
    query("--cache", "none")
    query("--cache", "memory://")
    assert not cache_folder.exists()


def test_a_cache_folder_that_cannot_be_used_costs_a_word_not_the_query(cache_folder):
    cache_folder.mkdir(parents=True)
    (cache_folder / "letters.txt").write_text("not a cache")
    done = run("query", DATASET, "--column", "vector", "--row", 0, "--json")
    assert "memory only" in done.stderr and str(cache_folder) in done.stderr
    assert (cache_folder / "letters.txt").read_text() == "not a cache"
    assert len(list(cache_folder.iterdir())) == 1


def test_a_named_folder_that_is_not_a_cache_is_an_error(tmp_path):
    (tmp_path / "letters.txt").write_text("not a cache")
    for arguments in (["query", DATASET, "--column", "vector", "--row", 0, "--cache", f"disk://{tmp_path}"],
                      ["cache", "stats", tmp_path], ["cache", "clear", tmp_path]):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert str(tmp_path) in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize("name", ["plain", "with a space", "per%20cent", "unicodé"])
def test_folders_of_any_name(tmp_path, name):
    folder = tmp_path / name
    uri = "disk://" + str(folder).replace("%", "%25").replace(" ", "%20").replace("é", "%C3%A9")
    query("--cache", f"memory://,{uri}")
    assert folder.is_dir()
    _, warm = query("--cache", f"memory://,{uri}")
    assert warm["io"]["index"]["requests"] == 0
    (stats,) = json.loads(run("cache", "stats", folder, "--json").stdout)
    assert stats["entries"] == PARTS + 1
    (stats,) = json.loads(run("cache", "stats", uri, "--json").stdout)
    assert stats["entries"] == PARTS + 1
    run("cache", "clear", folder)
    (stats,) = json.loads(run("cache", "stats", folder, "--json").stdout)
    assert stats["entries"] == 0


def test_a_folder_without_a_scheme(tmp_path):
    folder = tmp_path / "shared cache"
    query("--cache", folder)
    _, warm = query("--cache", os.path.relpath(folder))
    assert warm["io"]["index"]["requests"] == 0
    assert [tier["kind"] for tier in warm["cache"]["tiers"]] == ["memory", "disk"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("all my work")
    done = run("query", DATASET, "--column", "vector", "--row", 0, "--cache", tmp_path / "other", code=6)
    assert "thesis.tex" in done.stderr


@pytest.mark.parametrize("mistyped", ["redis:/h:6379", "disk:/tmp/z", "memory:/tmp"])
def test_a_mistyped_uri_is_no_folder(tmp_path, mistyped):
    done = subprocess.run([BINARY, "query", DATASET, "--column", "vector", "--row", "0", "--cache", mistyped],
                          capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 2, done.stderr
    assert not list(tmp_path.iterdir())
    assert "keeps nothing" in run("cache", "stats", "none", code=2).stderr


@pytest.mark.parametrize("command", ["stats", "ls", "verify", "clear"])
def test_a_cache_that_was_never_used_is_empty(tmp_path, command):
    done = subprocess.run([BINARY, "cache", command], capture_output=True, text=True,
                          env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 0 and not done.stdout
    assert "nothing is cached" in done.stderr and str(tmp_path) in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_damaged_marker_says_what_to_do(cache_folder):
    query()
    (cache_folder / "FEWTER_CACHE").write_text("?")
    assert "remove it" in run("cache", "verify", code=6).stderr
    query()


def test_prewarming_nothing_is_refused():
    assert "keeps nothing" in run("cache", "prewarm", DATASET, "--column", "vector", "--cache", "none", code=2).stderr


def test_answers_that_cannot_be_written_are_an_error(cache_folder):
    with open("/dev/full", "w") as full:
        for arguments in (["query", DATASET, "--column", "vector", "--row", "0"], ["info", DATASET]):
            done = subprocess.run([BINARY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            assert done.returncode == 1 and "standard output" in done.stderr


def test_a_limit_on_the_size_of_files_costs_the_cache_not_the_query(cache_folder):
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # noqa: E731
    done = subprocess.run([BINARY, "query", DATASET, "--column", "vector", "--row", "0", "--json"], preexec_fn=limit,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"]


def test_clear_says_if_another_process_is_in_the_way(cache_folder):
    query()
    with open(cache_folder / "LOCK") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in run("cache", "clear", code=1).stderr
    run("cache", "clear")
    (stats,) = json.loads(run("cache", "stats", "--json").stdout)
    assert stats["entries"] == 0


def test_a_heat_file_that_is_none_is_left_alone(cache_folder):
    query()
    (cache_folder / "heat").unlink(missing_ok=True)
    os.mkfifo(cache_folder / "heat")
    _, warm = query()
    assert warm["io"]["index"]["requests"] == 0


def test_stats_and_ls(cache_folder):
    query()
    (stats,) = json.loads(run("cache", "stats", "--json").stdout)
    assert stats["directory"] == str(cache_folder)
    assert stats["types"]["fewter.vector.Partition"]["entries"] == 16
    assert stats["types"]["fewter.vector.IvfIndexState"]["entries"] == 1
    assert stats["disk_bytes"] > stats["types"]["fewter.vector.Partition"]["bytes"]
    assert str(cache_folder) in run("cache", "stats").stdout
    entries = [json.loads(line) for line in run("cache", "ls", "--json").stdout.splitlines()]
    assert len(entries) == stats["entries"]
    assert {entry["namespace"] for entry in entries} == {f"index / {uuid()}"}
    heats = [entry["heat"] for entry in entries]
    assert heats == sorted(heats, reverse=True) and heats[0] > 0
    assert len(run("cache", "ls").stdout.splitlines()) == 1 + len(entries)


def test_verify_finds_one_flipped_bit_and_queries_stay_right(cache_folder):
    answers, _ = query()
    assert "0 corrupt" in run("cache", "verify").stdout
    largest = max(cache_folder.glob("*.fwseg"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 0x10
    largest.chmod(0o600)
    largest.write_bytes(data)
    done = run("cache", "verify", code=6)
    assert largest.name in done.stdout
    again, stats = query()
    assert again == answers
    assert tier(stats, "disk")["faults"]["corrupt"] == 1
    assert stats["cache"]["loads"] > 0
    # What was damaged has been written afresh.
    healed, stats = query()
    assert healed == answers and stats["io"]["index"]["requests"] == 0


def test_clear_one_index_or_all(cache_folder, tmp_path):
    query()
    assert "UUID" in run("cache", "clear", "--index", "nonsense", code=2).stderr
    run("cache", "clear", "--index", "00000000-0000-0000-0000-000000000000")
    assert json.loads(run("cache", "stats", "--json").stdout)[0]["entries"] == PARTS + 1
    run("cache", "clear", "--index", uuid())
    assert json.loads(run("cache", "stats", "--json").stdout)[0]["entries"] == 0
    query()
    run("cache", "clear")
    assert json.loads(run("cache", "stats", "--json").stdout)[0]["entries"] == 0
    _, cold = query()
    assert cold["cache"]["loads"] >= PARTS
    run("cache", "clear", tmp_path / "missing", code=3)
    assert not (tmp_path / "missing").exists()


def test_prewarm_says_what_is_resident(cache_folder):
    first = json.loads(run("cache", "prewarm", DATASET, "--column", "vector", "--json").stdout)
    assert first["partitions"] == 16 and first["loaded"] == 16 and first["failed"] == 0
    assert first["resident"] == {"memory": 16, "disk": 16}
    second = json.loads(run("cache", "prewarm", DATASET, "--column", "vector", "--strict", "--json").stdout)
    assert second["loaded"] == 0
    _, warm = query()
    assert warm["io"]["index"]["requests"] == 0
    done = run("cache", "prewarm", DATASET, "--column", "vector", "--strict", "--cache", "memory://?capacity=60KiB", code=1)
    assert "of 16 partitions stayed" in done.stderr
    small = json.loads(run("cache", "prewarm", DATASET, "--column", "vector", "--json",
                           "--cache", "memory://?capacity=60KiB").stdout)
    assert 0 < sum(small["resident"].values()) < 16


def test_prewarm_fills_every_tier_and_says_which_lacks_what(tmp_path):
    one, other = f"disk://{tmp_path}/one", f"disk://{tmp_path}/other"
    run("cache", "prewarm", DATASET, "--column", "vector", "--strict", "--cache", one)
    report = json.loads(run("cache", "prewarm", DATASET, "--column", "vector", "--strict", "--json",
                            "--cache", f"memory://,{one},{other}").stdout)
    assert report["loaded"] == 0
    _, warm = query("--cache", other)
    assert warm["io"]["index"]["requests"] == 0
    done = run("cache", "prewarm", DATASET, "--column", "vector", "--strict", "--cache",
               f"memory://,disk://{tmp_path}/small?capacity=200KiB", code=1)
    assert "of 16 partitions stayed in the cache's tier disk" in done.stderr


def test_many_processes_share_one_folder(cache_folder):
    answers, _ = query("--cache", "none")
    command = [BINARY, "query", DATASET, "--column", "vector", "--vector", QUERIES, "--nprobes", "16", "--json"]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for worker in workers:
        output, _ = worker.communicate(timeout=120)
        assert worker.returncode == 0
        assert [json.loads(line) for line in output.splitlines()] == answers
    assert "0 corrupt" in run("cache", "verify").stdout
    _, warm = query()
    assert warm["io"]["index"]["requests"] == 0


def test_only_disk_caches_are_listed():
    assert "redis" in run("cache", "ls", "redis://127.0.0.1:1", code=2).stderr
    assert "outlives" in run("cache", "ls", "memory://", code=2).stderr


def test_of_several_tiers_the_disk_is_verified(tmp_path):
    query("--cache", f"disk://{tmp_path}/c")
    done = run("cache", "verify", f"memory://,disk://{tmp_path}/c,redis://127.0.0.1:1", "--json")
    assert json.loads(done.stdout)["problems"] == [] and "left out: redis://" in done.stderr


def test_prewarm_says_why_a_tier_took_no_part():
    done = run("cache", "prewarm", DATASET, "--column", "vector", "--cache", "redis://127.0.0.1:1")
    assert "redis is bypassed" in done.stderr and "refused" in done.stderr


@pytest.mark.parametrize("command", [("query", "--row", 0), ("bench", "--queries", QUERIES)])
def test_a_dead_server_costs_a_word_not_the_answer(command):
    name, *options = command
    done = run(name, DATASET, "--column", "vector", *options, "--cache", "memory://,redis://127.0.0.1:1", "--json")
    assert json.loads(done.stdout.splitlines()[0])
    assert done.stderr == "fewter: redis is bypassed: 127.0.0.1:1: connect: Connection refused\n"


@pytest.fixture
def redis_uri(tmp_path):
    assert shutil.which("redis-server"), "the tests need redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(tmp_path / "redis.log", "w")
    server = subprocess.Popen(["redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=log)
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}", server
    server.kill()
    server.wait()
    log.close()


def test_another_machine_would_find_it_in_redis(redis_uri, tmp_path):
    uri, _ = redis_uri
    run("cache", "prewarm", DATASET, "--column", "vector", "--cache", f"memory://,{uri}")
    cold_answers, _ = query("--cache", "none")
    for _ in range(5):
        run("cache", "clear", uri)
        query("--cache", f"memory://,{uri}")
        _, stats = query("--cache", f"memory://,{uri}?timeout=5s")
        assert stats["io"]["index"]["requests"] == 0, "what was read was not all sent before the end"
    answers, stats = query("--cache", f"memory://,disk://{tmp_path}/disk,{uri}?timeout=5s")
    assert answers == cold_answers
    assert stats["io"]["index"]["requests"] == 0
    assert tier(stats, "redis")["hits"] == 17
    # What came from there is on disk now.
    _, stats = query("--cache", f"memory://,disk://{tmp_path}/disk")
    assert stats["io"]["index"]["requests"] == 0
    (state,) = json.loads(run("cache", "stats", uri, "--json").stdout)
    assert state["kind"] == "redis" and state["state"] == "healthy"
    run("cache", "clear", uri)
    _, stats = query("--cache", f"memory://,{uri}?timeout=5s")
    assert stats["cache"]["loads"] >= PARTS


def test_a_redis_that_is_gone_costs_no_answer(redis_uri):
    uri, server = redis_uri
    expected, _ = query("--cache", "none")
    server.kill()
    server.wait()
    answers, stats = query("--cache", f"memory://,{uri}")
    assert answers == expected
    assert tier(stats, "redis")["state"] != "healthy"
    assert tier(stats, "redis")["faults"]["unreachable"] >= 1
    (state,) = json.loads(run("cache", "stats", uri, "--json", code=5).stdout)
    assert state["state"] == "bypassed"
    run("cache", "clear", uri, code=5)


def test_passwords_are_never_shown():
    for uri in ("redis://user:secret@127.0.0.1:1/nonsense", "redis://:secret@127.0.0.1:1?nonsense=1",
                "redis://:secret@:x", "memory://,redis://:secret@h/0?ttl=never", "memory://, Redis://:secret@h",
                "memory://?x=1, redis://:secret@h", "redis://:sec/secret@h", "redis://u:123/secret@h/0"):
        done = run("query", DATASET, "--column", "vector", "--row", 0, "--cache", uri, code=2)
        assert "secret" not in done.stderr, done.stderr


def test_top_shows_what_changes(cache_folder):
    query()
    *_, watched = run("top", "--count", 2, "--interval", 0.1, "--json").stdout.splitlines()
    picture = json.loads(watched)
    assert picture["directory"] == str(cache_folder)
    assert picture["types"]["fewter.vector.Partition"]["entries"] == 16
    assert picture["entries"] == sum(kind["entries"] for kind in picture["types"].values())
    assert (picture["added"], picture["removed"]) == (0, 0)
    watching = subprocess.Popen([BINARY, "top", "--count", "50", "--interval", "0.1", "--json"], stdout=subprocess.PIPE,
                                text=True)
    first = json.loads(watching.stdout.readline())
    run("cache", "clear")
    pictures = [json.loads(line) for line in watching.stdout]
    assert watching.wait() == 0
    assert sum(one["removed"] for one in pictures) == first["entries"]
    assert pictures[-1]["entries"] == 0
    text = run("top", "--count", 1).stdout
    assert "0 entries" in text and "\x1b" not in text
    run("top", "--interval", 0, code=2)
    run("top", "redis://localhost:1", code=2)
    run("top", "/no/such/folder", code=3)
