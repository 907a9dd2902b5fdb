# The commands of the README. Everything they need is installed by scripts/setup.sh.

.PHONY: build demo wheel docs test lint format bench bench-peers bench-s3 bench-rows crash old-releases clean

build:
	@scripts/setup.sh build
	@cmake --preset release > /dev/null
	@cmake --build --preset release --target fewter_installed nearest

demo: build
	@build/release/examples/nearest examples

# The wheel of the Python package, with all the libraries that it needs but those of pyarrow; needs no compiler to install.
wheel:
	@scripts/setup.sh test
	@echo "built $$(scripts/python_wheel.sh)"

# The documentation as a site, in build/site, with the reference of the C++ and the Python API.
docs:
	@scripts/setup.sh docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet
	@echo "built build/site/index.html"

test:
	@scripts/test.sh

lint:
	@scripts/setup.sh test
	@scripts/lint.sh

format:
	@scripts/setup.sh test
	@scripts/sources.sh | xargs clang-format-16 -i

bench:
	@scripts/setup.sh test
	@bench/run.sh $(DATA)

# Beside FAISS, hnswlib, usearch and pylance; WORK is a folder that keeps the indexes.
bench-peers:
	@scripts/setup.sh test
	@bench/search/run.sh $(or $(WORK),build/bench-search) $(DATA)

# What queries on S3 cost, beside pylance, on a server and a proxy of our own.
bench-s3:
	@scripts/setup.sh test
	@bench/object_stores/run.sh

# What taking and scanning rows costs, beside pylance.
bench-rows:
	@scripts/setup.sh test
	@bench/rows/run.sh

# Kills a thousand processes that write to a disk cache, and checks what each of them left.
crash:
	@scripts/setup.sh test
	@cmake --preset release > /dev/null
	@cmake --build --preset release --target disk_crash
	@build/release/tests/disk_crash 1000

# Installs old releases of pylance, lets them write datasets and compares what is found in them.
old-releases:
	@scripts/setup.sh test
	@scripts/make_fixtures.sh
	@cmake --preset release > /dev/null
	@cmake --build --preset release --target fewter_dataset_test
	@tests/old_releases/run.sh

clean:
	@rm -rf build
