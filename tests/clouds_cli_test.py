"""Datasets on Google's and Microsoft's stores: emulators of these, behind the proxy that counts requests."""

import json
import os
import pathlib
import shutil
import subprocess

import lance
import numpy as np
import pyarrow.fs
import pytest
from gcp_storage_emulator.server import create_server

import s3_proxy
from s3_proxy import Fault

SOURCE = pathlib.Path(os.environ["FEWTER_SOURCE_DIR"])
BINARY = os.environ["FEWTER_BINARY"]
PARITY = SOURCE / "build" / "fixtures" / "parity"
PACKAGES = SOURCE / "examples" / "packages.lance"
AZURITE = SOURCE / "build" / "third_party" / "azurite-3.37.0" / "node_modules" / ".bin" / "azurite-blob"
# Azurite's own account, as its manual has it.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "tables"
# Of a query of two segments that returns a column of what it finds in four fragments, three with deletion files, after
# refining. Arrow's file system for Azure looks once whether there are folders; that for Google looks at each file and opens
# it before it reads.
MOST_REQUESTS = {"az": 15, "gs": 40}


class Google:
    """An emulator of the JSON interface; it looks at no credentials."""

    scheme = "gs"

    def __init__(self, folder):
        self._server = create_server("localhost", 0, True, default_bucket=CONTAINER)
        self._server.start()
        self.proxy = s3_proxy.Proxy("localhost", self._server._api._httpd.socket.getsockname()[1])
        self.fs = pyarrow.fs.GcsFileSystem(anonymous=True, scheme="http",
                                           endpoint_override=self.proxy.endpoint.removeprefix("http://"))

    def stop(self):
        self.proxy.stop()
        self._server.stop()

    def options(self, **changed):
        return {"google_base_url": self.proxy.endpoint, "google_skip_signature": "true", "allow_http": "true", **changed}


class Azure:
    """Azurite, Microsoft's own emulator."""

    scheme = "az"

    def __init__(self, folder):
        self._server = subprocess.Popen(
            [AZURITE, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence", "--blobPort", "0"],
            cwd=folder, stdout=subprocess.PIPE, text=True)
        says = next(line for line in self._server.stdout if "successfully listens on" in line)
        self.proxy = s3_proxy.Proxy("127.0.0.1", int(says.strip().rpartition(":")[2]))
        host = self.proxy.endpoint.removeprefix("http://")
        self.fs = pyarrow.fs.AzureFileSystem(ACCOUNT, account_key=KEY, blob_storage_authority=host, blob_storage_scheme="http",
                                             dfs_storage_authority=host, dfs_storage_scheme="http")
        self.fs.create_dir(CONTAINER)

    def stop(self):
        self.proxy.stop()
        self._server.kill()
        self._server.wait()

    def options(self, **changed):
        return {"account_name": ACCOUNT, "account_key": KEY, "azure_storage_endpoint": f"{self.proxy.endpoint}/{ACCOUNT}",
                "allow_http": "true", **changed}


def served(kind, folder):
    server = kind(folder)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def google(tmp_path_factory):
    yield from served(Google, tmp_path_factory.mktemp("google"))


@pytest.fixture(scope="module")
def azure(tmp_path_factory):
    yield from served(Azure, tmp_path_factory.mktemp("azure"))


@pytest.fixture(params=["google", "azure"])
def cloud(request):
    server = request.getfixturevalue(request.param)
    server.proxy.faults.clear()
    return server


def put(cloud, folder, name):
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with cloud.fs.open_output_stream(f"{CONTAINER}/{name}/{file.relative_to(folder)}") as out:
                out.write(file.read_bytes())
    cloud.proxy.take()
    return f"{cloud.scheme}://{CONTAINER}/{name}"


def run(cloud, *arguments, code=0, env=None, options=None):
    for name, value in (cloud.options() if options is None else options).items():
        arguments += ("--storage-option", f"{name}={value}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "GOOGLE_"))}
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env=environment | (env or {}))
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    assert KEY not in done.stdout + done.stderr
    return done


def query_of(name, folder):
    """A query of a fixture, and its local place."""
    case = json.loads((PARITY / name / "case.json").read_text())
    np.save(folder / "q.npy", np.asarray(case["queries"][0], dtype=np.float32))
    return ["--column", case["column"], "--vector", folder / "q.npy", "--json", "--nprobes", 4, "-k", 5, "--refine", 2,
            "--columns", "id"], PARITY / name / "dataset.lance"


@pytest.mark.parametrize("name", ["combined_ivf_pq8_cosine", "combined_ivf_hnsw_sq_l2", "deleted_stable_ivf_pq",
                                  "deleted_address_ivf_flat"])
def test_what_local_files_answer(cloud, tmp_path, name):
    query, local = query_of(name, tmp_path)
    expected = run(cloud, "query", local, *query, "--cache", "none", options={}).stdout
    uri = put(cloud, local, name)
    cache = ["--cache", f"{tmp_path}/cache"]
    assert run(cloud, "query", uri, *query, *cache).stdout == expected
    assert len(cloud.proxy.take()) <= MOST_REQUESTS[cloud.scheme]
    version = ["--dataset-version", lance.dataset(str(local)).version]
    assert run(cloud, "query", uri, *query, *cache, *version).stdout == expected
    assert cloud.proxy.take() == []
    assert run(cloud, "scan", uri).stdout == run(cloud, "scan", local, options={}).stdout


def test_what_is_not_there(cloud, tmp_path):
    query, local = query_of("deleted_address_ivf_flat", tmp_path)
    incomplete = shutil.copytree(local, tmp_path / "incomplete", ignore=shutil.ignore_patterns("auxiliary.idx"))
    uri = put(cloud, incomplete, "incomplete")
    done = run(cloud, "info", f"{cloud.scheme}://{CONTAINER}/nothing", code=3)
    assert f"{cloud.scheme}://{CONTAINER}/nothing: is not a Lance dataset" in done.stderr
    done = run(cloud, "query", uri, *query, "--cache", "none", code=3)
    assert "auxiliary.idx: No such file" in done.stderr


def test_what_passes_is_tried_again(cloud, tmp_path):
    query, local = query_of("deleted_address_ivf_flat", tmp_path)
    uri = put(cloud, local, "busy")
    expected = run(cloud, "query", uri, *query, "--cache", "none").stdout
    for kind in ("503", "reset"):
        cloud.proxy.faults.append(Fault(kind, "auxiliary.idx"))
        assert run(cloud, "query", uri, *query, "--cache", "none").stdout == expected
        assert all(fault.times == 0 for fault in cloud.proxy.faults)


def test_requests_are_as_many_as_the_options_say(google, azure, tmp_path):
    query, local = query_of("deleted_address_ivf_flat", tmp_path)
    uri = put(google, local, "down")
    google.proxy.faults.append(Fault("503", "auxiliary.idx", times=1_000))
    for retries in (0, 2):
        done = run(google, "query", uri, *query, "--cache", "none", options=google.options(client_max_retries=retries), code=5)
        assert ("(after 3 attempts)" in done.stderr) == (retries == 2)
        assert [request.status for request in google.proxy.take()].count(503) == 1 + retries
    google.proxy.faults.clear()
    # Azure's client sends each request four times before ours may.
    uri = put(azure, local, "down")
    azure.proxy.faults.append(Fault("503", "auxiliary.idx", times=4))
    done = run(azure, "query", uri, *query, "--cache", "none", "--stats", options=azure.options(client_max_retries=1))
    assert json.loads(done.stdout.splitlines()[-1])["stats"]["io"]["retries"] == 1
    assert [request.status for request in azure.proxy.take()].count(503) == 4


def test_credentials_that_are_refused(google, azure):
    uri = put(google, PACKAGES, "packages")
    google.proxy.faults.append(Fault("refused", "", times=1_000))
    run(google, "info", uri, code=4)
    google.proxy.faults.clear()
    uri = put(azure, PACKAGES, "packages")
    signature = "sv=2021-06-08&ss=b&srt=sco&sp=rl&se=2030-01-01T00:00:00Z&sig=U0VDUkVU%3D"
    place = {"account_name": ACCOUNT, "endpoint": azure.options()["azure_storage_endpoint"]}
    for wrong in ({"account_key": "U0VDUkVU"}, {"sas_token": signature}, {"sas_key": f"?{signature}"}, {"skip_signature": "true"}):
        done = run(azure, "info", uri, "--trace-io", options=place | wrong, code=4)
        assert "U0VDUkVU" not in done.stderr


def test_options_of_azure(azure):
    uri = put(azure, PACKAGES, "packages")
    endpoint = azure.options()["azure_storage_endpoint"]
    assert lance.dataset(uri, storage_options=azure.options()).count_rows() == 5000
    for name, key in (("AZURE_STORAGE_ACCOUNT_NAME", "azure_storage_access_key"), ("account_name", "azure_master_key")):
        assert "5000 rows" in run(azure, "info", uri, options={name: ACCOUNT, key: KEY, "azure_endpoint": endpoint}).stdout
    run(azure, "info", uri, options={},
        env={"AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY, "AZURE_STORAGE_ENDPOINT": endpoint})
    run(azure, "info", uri, options={"use_emulator": "true"}, env={"AZURITE_BLOB_STORAGE_URL": azure.proxy.endpoint})
    run(azure, "info", f"abfs://{CONTAINER}/packages", options=azure.options())
    azure.proxy.take()
    for wrong, says in (({"azure_storage_endpoint": "http://a/b"}, "endpoint"), ({"client_secret": "x"}, "go together"),
                        ({"use_emulator": "maybe"}, "neither true nor false"), ({"region": "x"}, "region")):
        assert says in run(azure, "info", uri, options=azure.options(**wrong), code=2).stderr
    assert azure.proxy.take() == []


def test_options_of_google(google, tmp_path):
    uri = put(google, PACKAGES, "packages")
    run(google, "info", uri, options={"endpoint": google.proxy.endpoint, "google_storage_token": "the-token"})
    assert all(request.signed for request in google.proxy.take())
    run(google, "info", uri)
    assert not any(request.signed for request in google.proxy.take())
    says = run(google, "info", uri, options={"service_account": f"{tmp_path}/absent.json"}, code=2).stderr
    assert "absent.json cannot be read" in says
