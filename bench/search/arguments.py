"""The command line that the programs of this folder share."""

import argparse
import pathlib

import corpora
from families import FAMILIES, GRAPHS


def parse(description: str, add=lambda parser: None):
    """(options, the corpora that they name). `add` declares further options."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path, help="where vectors and indexes are kept")
    parser.add_argument("data", type=pathlib.Path, nargs="?", help="base.f16.npy, queries.f16.npy, gt_ids.npy")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the made set; 0 for none")
    parser.add_argument("--graph-rows", type=int, default=200_000,
                        help="of the made set that graphs are built over, which takes long; 0 for none")
    parser.add_argument("--dimension", type=int, default=128, help="of the made sets")
    parser.add_argument("--families", default=",".join(FAMILIES), help="kinds of index")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    add(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    wanted = options.families.split(",")
    parts = {family: options.graph_rows if family in GRAPHS else options.rows for family in wanted}
    found = []
    if options.data is not None:
        found.append(corpora.embeddings(options.data, options.work, wanted))
    for rows in sorted({rows for rows in parts.values() if rows > 0}, reverse=True):
        families = [family for family in wanted if parts[family] == rows]
        found.append(corpora.made(options.work, rows, options.dimension, families))
    return options, found
