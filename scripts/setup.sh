#!/usr/bin/env bash
# Installs what is missing: Debian packages (as root or through sudo) and a Python environment in .venv.
#   scripts/setup.sh build     what a build and the demo need
#   scripts/setup.sh test      what the tests need, too
#   scripts/setup.sh docs      what the documentation's site needs, alone
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-build}

packages=(g++ cmake ninja-build pkg-config protobuf-compiler libprotobuf-dev libhwy-dev libxxhash-dev libroaring-dev
  libpg-query-dev liblz4-dev libzstd-dev libcli11-dev libfmt-dev nlohmann-json3-dev libgtest-dev libgmock-dev
  libbenchmark-dev libssl-dev prometheus-cpp-dev)
if [ "$purpose" = test ]; then
  packages+=(clang-16 libclang-rt-16-dev clang-format-16 clang-tidy-16 redis-server openssl dpkg-dev
    file)
fi

if [ "$purpose" = docs ]; then packages=(doxygen); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
# Debian's own Python comes without the module that makes environments.
if [ ! -x .venv/bin/python ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  missing+=(python3-venv)
fi
if [ "$purpose" = test ] && ! command -v npm > /dev/null; then missing+=(npm); fi
# The headers of Python, for the extension module.
if ! python3 -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_paths()["include"] + "/Python.h")' 2>/dev/null; then
  missing+=(python3-dev)
fi
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo > /dev/null; then
      echo "run this as root, or install these Debian packages: ${missing[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
fi

if ! .venv/bin/python -m pip --version > /dev/null 2>&1; then python3 -m venv --clear .venv; fi
requirements=requirements-$purpose.txt
stamp=.venv/.$purpose-$(cat requirements-*.txt | cksum | cut -d' ' -f1)
if [ ! -f "$stamp" ]; then
  echo "installing the Python packages of $requirements"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
  touch "$stamp"
fi

# The C sources of libvalkey, the client of Redis and Valkey, which Debian 12 does not have. They come inside the source
# package of its Python binding, of which nothing else is used; pip compares the checksum before it looks inside.
libvalkey=libvalkey-4.2.1
libvalkey_sha256=7f0ffb6dfa9c01cde7f398d8bab93d2566597cbad17f4068d019bb5cf335bd47
if [ ! -d "build/third_party/$libvalkey" ]; then
  echo "fetching the sources of $libvalkey"
  mkdir -p build/third_party
  download=$(mktemp -d build/third_party/download.XXXXXX)
  trap 'rm -rf "$download"' EXIT
  echo "${libvalkey/-/==} --hash=sha256:$libvalkey_sha256" > "$download/requirements.txt"
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary libvalkey \
    --require-hashes --dest "$download" --requirement "$download/requirements.txt"
  echo "$libvalkey_sha256  $download/$libvalkey.tar.gz" | sha256sum --check --quiet
  tar -xzf "$download/$libvalkey.tar.gz" -C "$download"
  mv "$download/$libvalkey" "build/third_party/$libvalkey"
fi

# Microsoft's emulator of its object store, for the tests.
azurite=azurite-3.37.0
if [ "$purpose" = test ] && [ ! -d "build/third_party/$azurite" ]; then
  echo "installing $azurite"
  mkdir -p build/third_party
  npm_download=$(mktemp -d build/third_party/download.XXXXXX)
  trap 'rm -rf ${download:+"$download"} "$npm_download"' EXIT
  npm install --prefix "$npm_download" --silent --no-audit --no-fund --ignore-scripts "${azurite/-/@}"
  mv "$npm_download" "build/third_party/$azurite"
fi
