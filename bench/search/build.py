#!/usr/bin/env python3
"""Builds the indexes that the comparison searches; what is there already is kept.

    bench/search/build.py WORK_FOLDER [DATA_FOLDER] [--rows N] [--dimension D] [--families flat,pq8,…]

See bench/search/run.sh, which calls it.
"""

import functools
import time

from arguments import parse
from families import FAMILIES
from peers import peers

import datasets


def main() -> None:
    options, corpora = parse(__doc__)
    for corpus in corpora:
        opened = peers(corpus)
        for family in corpus.families:
            kinds, others = FAMILIES[family]
            builds = {kind: functools.partial(datasets.make, corpus.data, corpus.work, kind, corpus.kinds[kind])
                      for kind in kinds}
            builds |= {name: functools.partial(opened[name][0], corpus, opened[name][1]) for name in others}
            for name, build in builds.items():
                start = time.perf_counter()
                build()
                print(f"{corpus.name}: {name}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
