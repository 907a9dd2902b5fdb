# Everything fewter is built from. Arrow is a public dependency (its types are in our API); the others are private.

include(FewterArrow)

find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
# For sets of row ids. Bitmaps in files, which are not to be trusted, have a decoder of our own.
find_package(roaring REQUIRED)
# PostgreSQL's parser, for filters in SQL. It comes without CMake's or pkg-config's files.
find_path(PG_QUERY_INCLUDE_DIR pg_query.h REQUIRED)
find_library(PG_QUERY_LIBRARY pg_query REQUIRED)
include(FewterValkey)
pkg_check_modules(prometheus QUIET IMPORTED_TARGET prometheus-cpp-core)
set(default OFF)
if(PROJECT_IS_TOP_LEVEL AND prometheus_FOUND)
  set(default ON)
endif()
option(FEWTER_PROMETHEUS "Build fewter::prometheus, which shows metrics by prometheus-cpp" ${default})
if(FEWTER_PROMETHEUS AND NOT prometheus_FOUND)
  message(FATAL_ERROR "FEWTER_PROMETHEUS needs prometheus-cpp (Debian: prometheus-cpp-dev)")
endif()

if(FEWTER_BUILD_CLI)
  find_package(CLI11 REQUIRED)
  include(FewterParquet)
endif()
if(FEWTER_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
if(FEWTER_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()

# Arrow's own allocators hide overruns from AddressSanitizer and confuse ThreadSanitizer; the tests use plain malloc.
# libarrow comes without ThreadSanitizer's instrumentation, so what it makes in function-local statics (every data type is
# one) looks unordered: what it does by itself is left out, what our code does, on its threads too, is watched.
set(FEWTER_TEST_ENVIRONMENT
  "ARROW_DEFAULT_MEMORY_POOL=system"
  "FEWTER_SOURCE_DIR=${PROJECT_SOURCE_DIR}"
  "FEWTER_FIXTURES=${PROJECT_SOURCE_DIR}/build/fixtures"
  "ASAN_OPTIONS=detect_stack_use_after_return=1"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=ignore_noninstrumented_modules=1 history_size=4")
