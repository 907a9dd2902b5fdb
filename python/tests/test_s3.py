"""A dataset in an S3 bucket, on a server that is a thread of this process: it answers only if the interpreter's lock is free
while fewter waits."""

import boto3
import numpy as np
import pytest
from conftest import write_rows
from moto.server import ThreadedMotoServer

import fewter


@pytest.fixture(scope="module")
def storage_options():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "somebody", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys).create_bucket(Bucket="bucket")
    yield {**keys, "aws_region": "us-east-1", "aws_endpoint": endpoint, "allow_http": "true"}
    server.stop()


def test_a_bucket_as_pylance_names_it(storage_options, values, queries):
    uri = "s3://bucket/rows.lance"
    written = write_rows(uri, values, storage_options=storage_options)
    written.create_index("vector", "IVF_FLAT", num_partitions=4)
    table = fewter.open(uri, storage_options=storage_options, cache="memory://")
    found = table.search(queries[0], 5, nprobes=4, filter="id > 3")
    nearest = {"column": "vector", "q": queries[0], "k": 5, "nprobes": 4}
    assert found["id"] == written.to_table(nearest=nearest, filter="id > 3", prefilter=True)["id"]
    assert table.io_stats()["index"]["requests"] > 0
    assert table.latest() is table
    assert "secret" not in repr(table) + str(table.stats())
    accelerated = fewter.accelerate(written, session=table.session)
    assert accelerated.to_table(nearest=nearest)["id"].to_pylist()[0] == 0
    assert accelerated.table.io_stats()["index"]["requests"] == 0, "the session has it"


def test_a_bucket_that_is_not_there(storage_options):
    with pytest.raises((OSError, KeyError)):
        fewter.open("s3://nothing/rows.lance", storage_options=storage_options)
    with pytest.raises(ValueError, match="nonsense"):
        fewter.open("s3://bucket/rows.lance", storage_options={**storage_options, "nonsense": "1"})
    assert np.isfinite(fewter.open("s3://bucket/rows.lance", storage_options=storage_options).count_rows())
