#!/usr/bin/env bash
# Installs a build into a new folder and builds and runs this project against it, with CMake and with pkg-config; makes the
# Debian package, and runs the command line from what is in it.
#   tests/consumer/run.sh BUILD_FOLDER
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
build_dir=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build_dir" --prefix "$work/prefix" > /dev/null
cmake -S "$source_dir/tests/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_BUILD_TYPE=Release > /dev/null
cmake --build "$work/build"
"$work/build/consumer" "$source_dir/examples/packages.lance"
"$work/prefix/bin/fewter" --version
for page in man/man1/fewter.1 bash-completion/completions/fewter zsh/site-functions/_fewter \
  fish/vendor_completions.d/fewter.fish; do
  test -s "$work/prefix/share/$page"
done

pc=$(dirname "$(find "$work/prefix" -name fewter.pc)")
read -ra flags <<< "$(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs fewter)"
"${CXX:-c++}" -std=c++20 "$source_dir/tests/consumer/main.cc" "${flags[@]}" -lfewter_substrait \
  -Wl,-rpath,"$pc/.." -o "$work/with_pkg_config"
"$work/with_pkg_config" "$source_dir/examples/packages.lance"

cpack --config "$build_dir/CPackConfig.cmake" -B "$work/packages" -D CPACK_DEBIAN_COMPRESSION_TYPE=zstd > /dev/null
dpkg-deb -x "$work"/packages/fewter_*.deb "$work/unpacked"
fewter=$work/unpacked/usr/bin/fewter
"$fewter" scan "$source_dir/examples/packages.lance" --rows 0,1 --output "$work/rows.parquet"
test -s "$work/rows.parquet"
# The wheel's libraries have to be those of the package.
if [ -d "$work/unpacked/usr/lib/fewter" ]; then ldd "$fewter" | grep "libarrow.*$work/unpacked" > /dev/null; fi
