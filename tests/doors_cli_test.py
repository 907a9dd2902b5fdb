"""What surrounds the commands: help, completion, the manual, the configuration file, terminals."""

import json
import os
import pathlib
import pty
import re
import struct
import subprocess
import termios
from fcntl import ioctl

import lance
import numpy as np
import pyarrow as pa
import pytest

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
DATASET = str(SOURCE / "examples" / "packages.lance")


@pytest.fixture(autouse=True)
def no_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in "FEWTER_CONFIG", "FEWTER_CACHE", "NO_COLOR":
        monkeypatch.delenv(name, raising=False)


def run(*arguments, code=0):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def commands():
    """The name of every command, those with commands of their own among them."""
    def below(*path):
        listed = run(*path, "--help").stdout.partition("Subcommands:\n")[2].partition("\n\n")[0]
        for name in re.findall(r"^  (\S+)", listed, re.MULTILINE):
            yield " ".join([*path, name])
            yield from below(*path, name)
    return list(below())


def options_of(command):
    return set(re.findall(r"^  (?:-\w,)?(--?[a-z][a-z-]*)", run(*command.split(), "--help").stdout, re.MULTILINE))


def on_terminal(*arguments, columns=200, code=0):
    """What a command prints to a terminal, both streams."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([BINARY, *map(str, arguments)], stdout=theirs, stderr=theirs,
                             env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    output = b""
    while True:
        try:
            output += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert child.wait(timeout=60) == code
    return output.decode()


def test_every_help_shows_an_example():
    assert {"query", "scan", "cache prewarm"} < set(commands())
    for command in commands():
        assert "Example: " in run(*command.split(), "--help").stdout, command
    assert "Example: " in run("--help").stdout


def test_help_says_what_options_take_and_not_how_they_are_made():
    for command in ["", *commands()]:
        text = run(*command.split(), "--help").stdout
        assert not re.search(r"UINT|\bINT\b|TEXT|FLOAT|REQUIRED|Option Group|[{}]|config=", text), command
    query = run("query", "--help").stdout
    for said in r"-k K +How many rows to return \[10\]", r"--exact +Compare", r"--column NAME +The vector column \(required\)":
        assert re.search(said, query)
    assert query.index("What to look for") < query.index("--vector FILE") < query.index("--row N") < query.index("\nOptions:")
    man = run("man").stdout
    assert "\\fB\\-k\\fR \\fIK\\fR\nHow many rows to return [10]\n" in man
    assert "\\fB\\-\\-vector\\fR \\fIFILE\\fR\n" in man and "\\fB\\-\\-exact\\fR\nCompare" in man


def test_slips_in_words_of_the_line():
    query = ["query", DATASET, "--column", "vector", "--row", 0]
    for arguments, said in [
        ([*query, "--nprobe", 5], "unknown option '--nprobe'; did you mean '--nprobes'?"),
        (["query", DATASET, "--colum=vector", "--row", 0], "unknown option '--colum'; did you mean '--column'?"),
        (["cache", "stats", "--jsno"], "unknown option '--jsno'; did you mean '--json'?"),
        ([*query, "--wholly-other"], "unknown option '--wholly-other'\n"),
        (["qurey", DATASET], "no command 'fewter qurey'; did you mean 'query'?"),
        (["cache", "stat"], "no command 'cache stat'; did you mean 'stats'?"),
        ([*query, "more"], "unexpected argument 'more'\n"),
        ([*query, "-k", "abc"], "-k: 'abc' is not a whole number"),
        ([*query, "-k", 2**32], "-k: '4294967296' is more than 4294967295"),
        ([*query, "--ef", "x"], "--ef: 'x' is not a whole number"),
        (["bench", DATASET, "--column", "vector", "--queries", "q.npy", "--nprobes", "1,x"], "'x' is not a whole number"),
        ([*query, "--distance-below", "near"], "--distance-below: 'near' is not a number"),
        ([*query, "--distance-from", 5, "--distance-below", 1.5], "--distance-from 5 leaves nothing below --distance-below 1.5"),
    ]:
        assert said in run(*arguments, code=2).stderr


def completions(tmp_path, *words):
    script = tmp_path / "completion.bash"
    script.write_text(run("completion", "bash").stdout)
    program = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _fewter; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", program, script, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_bash_completes_what_help_lists(tmp_path):
    assert completions(tmp_path, "fewter", "") > {command for command in commands() if " " not in command}
    assert completions(tmp_path, "fewter", "cache", "") >= {"stats", "ls", "verify", "clear", "prewarm"}
    for command in commands():
        assert completions(tmp_path, "fewter", *command.split(), "-") >= options_of(command), command
    assert completions(tmp_path, "fewter", "query", "x", "--metric", "") == {"cosine", "dot", "hamming", "l2"}
    assert completions(tmp_path, "fewter", "completion", "") >= {"bash", "fish", "zsh"}
    assert completions(tmp_path, "fewter", "count", str(SOURCE / "exa")) == {str(SOURCE / "examples")}


def test_the_other_shells_and_the_manual_have_every_option():
    zsh, fish, man = run("completion", "zsh").stdout, run("completion", "fish").stdout, run("man").stdout
    assert zsh.startswith("#compdef fewter\n")
    for command in commands():
        assert f"_fewter_{command.replace(' ', '_')}() {{" in zsh
        assert f'.SS "fewter {command}"' in man
        for option in options_of(command) - {"--help"}:
            assert re.search(rf"{option}\b", zsh)
            assert f" -l {option[2:]} " in fish or f" -s {option[1:]} " in fish
            assert option.replace("-", "\\-") in man
    assert "'none' is none of bash|fish|zsh" in run("completion", "none", code=2).stderr


def tiers(*arguments):
    lines = run(*arguments, "query", DATASET, "--row", 1, "--stats").stdout.splitlines()
    stats = json.loads(lines[-1])["stats"]
    return len(json.loads(lines[0])["rows"]), [tier["kind"] for tier in stats["cache"]["tiers"]]


def test_the_line_goes_before_the_environment_and_that_before_the_file(tmp_path, monkeypatch):
    file = tmp_path / "fewter" / "config.toml"
    file.parent.mkdir()
    file.write_text(f'cache = "memory://,disk://{tmp_path}/a"\n[query]\ncolumn = "vector"\nk = 3\njson = true\n'
                    '[cache.prewarm]\nmax-bytes = "1MiB"\n')
    assert tiers() == (3, ["memory", "disk"])
    monkeypatch.setenv("FEWTER_CACHE", "memory://")
    assert tiers() == (3, ["memory"])
    (answer,) = run("query", DATASET, "--row", 1, "-k", 2, "--cache", tmp_path / "b").stdout.splitlines()
    assert len(json.loads(answer)["rows"]) == 2 and (tmp_path / "b").exists()
    other = tmp_path / "other.toml"
    other.write_text('[query]\ncolumn = "vector"\nk = 1\njson = true\n')
    assert tiers("--config", other) == (1, ["memory"])
    monkeypatch.setenv("FEWTER_CONFIG", str(other))
    assert tiers() == (1, ["memory"])


def test_comments_in_the_file(tmp_path):
    file = tmp_path / "c.toml"
    text = '# of all\ncache = "memory://"   # not "all"\n[query] # of one\ncolumn = \'vector\' # \'text\'\nk = 3#\njson = true\n'
    file.write_text(text)
    assert tiers("--config", file) == (3, ["memory"])
    file.write_text(text + "filter = \"name <> 'a#b' AND name LIKE '#%'\" # none\n")
    assert tiers("--config", file) == (0, ["memory"])


def test_a_file_that_is_wrong(tmp_path):
    file = tmp_path / "c.toml"
    for text, said in [("nprobe = 1\n", "c.toml: 'nprobe'"), ("[query]\nthreads = 1\n", "c.toml: 'query.threads'"),
                       ('[query]\nnprobes = "many"\n', "--nprobes")]:
        file.write_text(text)
        assert said in run("--config", file, "query", DATASET, "--column", "vector", "--row", 0, code=2).stderr
    assert "nowhere': No such file" in run("--config", tmp_path / "nowhere", "count", DATASET, code=3).stderr


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    assert "\x1b[1m" in on_terminal("head", DATASET, "--columns", "name")
    assert "\x1b[31mfewter:" in on_terminal("count", "/nowhere", code=3)
    assert "\x1b" not in run("head", DATASET).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in on_terminal("head", DATASET, "--columns", "name")
    assert "\x1b" not in on_terminal("count", "/nowhere", code=3)


def test_tables_fit_the_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    for columns in 40, 70:
        lines = on_terminal("head", DATASET, columns=columns).split("\r\n")
        assert len(lines) == 12 and max(map(len, lines)) <= columns
        assert lines[1].endswith("…")


def test_rows_too_wide_for_a_line_have_one_for_each_cell(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_COLOR", "1")
    columns = {f"text_{i}": [f"{row} " * 150 for row in range(3)] for i in range(12)}
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.eye(3, dtype=np.float32).ravel()), 3)
    uri = lance.write_dataset(pa.table({"id": range(3), **columns, "v": vectors}), tmp_path / "d.lance").uri
    for width in 80, 120, 200:
        rows = on_terminal("head", uri, "-n", 2, columns=width).split("\r\n\r\n")
        assert [row.split()[:2] for row in rows] == [["id", "0"], ["id", "1"]]
        lines = rows[1].split("\r\n")
        assert lines[12] == "text_11  " + ("1 " * 150)[: width - 10] + "…"
        assert lines[13] == "v        [0.0,1.0,0.0]"
        few = on_terminal("head", uri, "--columns", "id,text_1,text_2", columns=width).split("\r\n")
        assert len(few) == 5 and few[0].split() == ["id", "text_1", "text_2"]
    assert "text_11  " + ("0 " * 150)[:190] + "…\n" in run("head", uri).stdout
    assert run("head", uri, "--filter", "id > 5").stdout.split() == ["id", *columns, "v"]
    found = run("query", uri, "--column", "v", "--row", 1, "--columns", ",".join(columns)).stdout.split("\n\n")
    assert len(found) == 3 and found[0].splitlines()[1:3] == ["_rowid     1", "_distance  0"]


def test_arrow_is_not_for_terminals():
    assert "not for terminals" in on_terminal("scan", DATASET, "--format", "arrow", code=2)
