"""Writes small Lance datasets with pylance, and beside each what its manifests say, for manifest_test.

    python tests/make_manifest_fixtures.py FOLDER

makes FOLDER/<name>/{data.lance, expected.json}; the test looks in $FEWTER_FIXTURES/manifests. What is expected comes
from pylance's own view of the dataset (its fragments, the rows it returns), never from the bytes, so that the test
compares two readers.
"""

import json
import shutil
import sys
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa

RNG = np.random.default_rng(20240607)
DIMENSION = 8


def rows(start, stop):
    vectors = RNG.normal(size=((stop - start) * DIMENSION)).astype("f4")
    return pa.table({
        "id": pa.array(np.arange(start, stop), pa.int64()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors), DIMENSION),
    })


def write(uri, start, stop, **options):
    return lance.write_dataset(rows(start, stop), uri, **options)


def make_v1_names(uri):
    options = dict(enable_v2_manifest_paths=False, data_storage_version="2.0")
    write(uri, 0, 100, max_rows_per_file=40, **options)
    for i in range(11):  # Past version 9, so that the order of names is not the order of versions.
        write(uri, 100 + i, 101 + i, mode="append", **options)


def make_v2_names(uri):
    table = rows(0, 50)
    pairs = pa.array([{"a": i, "b": {"c": str(i)}} for i in range(50)])
    table = table.append_column("pair", pairs).append_column("extra", pa.array(range(50)))
    table = table.append_column("tags", pa.array([[i] for i in range(50)]))
    dataset = lance.write_dataset(table, uri, data_storage_version="2.1", max_rows_per_file=30)
    dataset.alter_columns({"path": "id", "name": "key"})
    dataset.drop_columns(["extra"])
    dataset.add_columns({"twice": "key * 2"})
    dataset.alter_columns({"path": "twice", "data_type": pa.int32()})
    dataset.update_config({"lance.auto_cleanup.interval": "20", "note": "Grüße"})


def make_legacy_files(uri):
    write(uri, 0, 30, data_storage_version="legacy")


def make_empty(uri):
    lance.write_dataset(rows(0, 0), uri)


def make_deletions(uri):
    ids = pa.table({"id": pa.array(np.arange(150_000), pa.int32())})
    dataset = lance.write_dataset(ids, uri, max_rows_per_file=140_000)
    dataset.delete("id = 77 or id = 3 or id = 139999")
    dataset.delete("id = 12")
    dataset.delete("id % 2 = 0 and id < 100000")
    dataset.delete("id >= 140000 and id < 149000")


def make_all_deleted(uri):
    dataset = write(uri, 0, 40, max_rows_per_file=20)
    dataset.delete("id < 20")


def make_indexes(uri):
    dataset = write(uri, 0, 600, max_rows_per_file=250)
    dataset.create_index("vector", "IVF_PQ", metric="cosine", num_partitions=2, num_sub_vectors=4)
    dataset = write(uri, 600, 700, mode="append")
    dataset.optimize.optimize_indices(num_indices_to_merge=0)
    dataset = write(uri, 700, 710, mode="append")
    dataset.create_scalar_index("id", "BTREE")
    dataset.delete("id >= 250 and id < 500")


def make_untrained_index(uri):
    dataset = write(uri, 0, 20)
    dataset.create_index("vector", "IVF_PQ", num_partitions=1, num_sub_vectors=4, train=False)


def make_fragment_reuse(uri):
    dataset = write(uri, 0, 600, max_rows_per_file=200)
    dataset.create_index("vector", "IVF_PQ", num_partitions=1, num_sub_vectors=4)
    dataset.delete("id >= 100 and id < 130")
    lance.dataset(uri).optimize.compact_files(target_rows_per_fragment=1000, defer_index_remap=True)


def make_stable_row_ids(uri):
    dataset = write(uri, 0, 3000, max_rows_per_file=1000, enable_stable_row_ids=True)
    dataset.delete("id = 5 or id = 900")
    dataset.delete("id >= 1000 and id < 2000 and id % 3 = 0")
    dataset.update({"id": "id + 100000"}, where="id >= 2500 and id < 2520")
    dataset.update({"id": "id + 100000"}, where="id % 400 = 1")
    dataset = lance.dataset(uri)
    dataset.optimize.compact_files(target_rows_per_fragment=1100)
    dataset = write(uri, 5000, 5100, mode="append")
    dataset.update({"id": "id + 1000000"}, where="id % 50 = 7")
    lance.dataset(uri).optimize.compact_files(target_rows_per_fragment=10_000)


def make_large_manifest(uri):
    """Larger than what is read at first, and its index section lies still further away."""
    dataset = write(uri, 0, 300)
    dataset.create_index("vector", "IVF_PQ", num_partitions=1, num_sub_vectors=4)
    dataset.update_config({f"filler.{i}": "x" * 1000 for i in range(100)})


def describe_fields(fields, parent_id=-1):
    """Pre-order, as the manifest has them."""
    listed = []
    for field in fields:
        listed.append({"id": field.id(), "name": field.name(), "parent_id": parent_id})
        listed += describe_fields(field.children(), field.id())
    return listed


def describe_fragments(dataset, has_stable_row_ids):
    fragments = []
    for fragment in dataset.get_fragments():
        live = fragment.to_table(columns=[], with_row_id=True, with_row_address=True)
        live_offsets = live["_rowaddr"].to_numpy().astype("u8") & 0xFFFFFFFF
        deletion_file = fragment.metadata.deletion_file
        described = {
            "id": fragment.fragment_id,
            "physical_rows": fragment.physical_rows,
            "deleted": np.setdiff1d(np.arange(fragment.physical_rows), live_offsets).tolist(),
            "deletion_file": deletion_file.path(fragment.fragment_id) if deletion_file else None,
            "files": [{
                "path": "data/" + file.path,
                "fields": list(file.fields),
                "column_indices": list(file.column_indices),
                "version": [file.file_major_version, file.file_minor_version],
                "size": file.file_size_bytes,
            } for file in fragment.metadata.files],
        }
        if has_stable_row_ids:
            described["live_row_ids"] = live["_rowid"].to_pylist()
        fragments.append(described)
    return fragments


def has_fragment_reuse_index(dataset):
    return any(index.name == "__lance_frag_reuse" for index in dataset.describe_indices())


def describe_indexes(dataset, uri):
    # With a fragment reuse index pylance shows the fragments that the indexed rows were moved to, not those in the file.
    fragments_are_translated = has_fragment_reuse_index(dataset)
    segments = []
    for index in dataset.describe_indices():
        if index.name.startswith("__lance"):
            continue
        for segment in index.segments:
            folder = uri / "_indices" / str(segment.uuid)
            segments.append({
                "name": index.name,
                "type_url": index.type_url,
                "fields": list(index.fields),
                "uuid": str(segment.uuid),
                "fragments": None if fragments_are_translated else sorted(segment.fragment_ids),
                "dataset_version": segment.dataset_version_at_last_update,
                "index_version": segment.index_version,
                "files": {path.name: path.stat().st_size for path in folder.glob("*")},
            })
    return sorted(segments, key=lambda segment: segment["uuid"])


def describe(uri, has_stable_row_ids):
    versions = []
    for entry in lance.dataset(uri).versions():
        dataset = lance.dataset(uri, version=entry["version"])
        versions.append({
            "version": dataset.version,
            "data_storage_version": dataset.data_storage_version,
            "live_rows": dataset.count_rows(),
            "config": dataset.config(),
            "fields": describe_fields(dataset.lance_schema.fields()),
            "fragments": describe_fragments(dataset, has_stable_row_ids),
            "indexes": describe_indexes(dataset, uri),
            "has_fragment_reuse_index": has_fragment_reuse_index(dataset),
        })
    return {"stable_row_ids": has_stable_row_ids, "versions": versions}


def make_refused(source, folder):
    """Datasets that would be answered wrongly by who reads no more of them than their own fragments."""
    folder.mkdir(parents=True)
    lance.dataset(source).shallow_clone(folder / "clone.lance", reference=lance.dataset(source).version)
    dataset = write(folder / "branched.lance", 0, 30)
    branch = dataset.create_branch("dev")
    write(branch.uri, 30, 40, mode="append")
    write(folder / "bases.lance", 0, 30, initial_bases=[lance.DatasetBasePath(str(folder / "more"), "more")],
          target_bases=["more"])
    write(folder / "mem_wal.lance", 0, 30).initialize_mem_wal(unsharded=True)


MAKERS = {
    "v1_names": make_v1_names,
    "v2_names": make_v2_names,
    "legacy_files": make_legacy_files,
    "empty": make_empty,
    "deletions": make_deletions,
    "all_deleted": make_all_deleted,
    "indexes": make_indexes,
    "untrained_index": make_untrained_index,
    "fragment_reuse": make_fragment_reuse,
    "stable_row_ids": make_stable_row_ids,
    "large_manifest": make_large_manifest,
}


def main():
    root = Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    for name, make in MAKERS.items():
        folder = root / name
        folder.mkdir(parents=True)
        make(folder / "data.lance")
        expected = describe(folder / "data.lance", has_stable_row_ids=name == "stable_row_ids")
        (folder / "expected.json").write_text(json.dumps(expected))
    make_refused(root / "indexes" / "data.lance", root / "refused")


if __name__ == "__main__":
    main()
