"""The command line that the programs of this folder share."""

import argparse
import pathlib

import corpora
from families import FAMILIES


def parse(description: str, add=lambda parser: None):
    """(options, the corpora that they name). `add` declares further options."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path, help="where vectors and indexes are kept")
    parser.add_argument("data", type=pathlib.Path, nargs="?", help="base.f16.npy, queries.f16.npy, gt_ids.npy")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the made set; 0 for none")
    parser.add_argument("--dimension", type=int, default=128, help="of the made set")
    parser.add_argument("--families", default=",".join(FAMILIES), help="kinds of index")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    add(parser)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = []
    if options.data is not None:
        found.append(corpora.embeddings(options.data, options.work))
    if options.rows > 0:
        found.append(corpora.made(options.work, options.rows, options.dimension))
    return options, found
