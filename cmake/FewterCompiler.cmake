# Language level, warnings and sanitizers, the same for every target of the project.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(FEWTER_CCACHE ccache)
if(FEWTER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # ccache serves sources that use a precompiled header only if told that these may be ignored.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env "CCACHE_SLOPPINESS=pch_defines,time_macros" "${FEWTER_CCACHE}")
endif()

add_library(fewter_options INTERFACE)
target_compile_options(fewter_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(FEWTER_WARNINGS_AS_ERRORS)
  target_compile_options(fewter_options INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(fewter_options INTERFACE -Wthread-safety)
endif()
if(FEWTER_SANITIZE)
  add_compile_options(-fsanitize=${FEWTER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FEWTER_SANITIZE})
  # Kernels for one wide instruction set and for none: each one more takes minutes to compile with instrumentation.
  add_compile_definitions("HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4|HWY_AVX3)")
endif()
if(FEWTER_BUILD_FUZZERS)
  # Coverage feedback in the library itself; each target adds the driver when it links.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Parsing Arrow's headers is most of what compiling a source costs. Two precompiled sets, one with GoogleTest, halve it;
# every source still includes what it uses. -fPIC for programs too, so that they can share them.
add_compile_options(-fPIC)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # As clang does anyway: nobody replaces our functions at load time, so they may be inlined.
  add_compile_options(-fno-semantic-interposition)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()
set(FEWTER_PRECOMPILED
  <algorithm> <atomic> <cstdint> <functional> <memory> <mutex> <optional> <string> <string_view> <unordered_map> <utility>
  <vector> <arrow/array.h> <arrow/buffer.h> <arrow/builder.h> <arrow/io/memory.h> <arrow/record_batch.h>
  <arrow/result.h> <arrow/status.h> <arrow/type.h>)

# Called once Arrow and GoogleTest have been found.
function(fewter_precompile_headers)
  if(NOT EXISTS "${PROJECT_BINARY_DIR}/precompiled.cc")
    file(WRITE "${PROJECT_BINARY_DIR}/precompiled.cc" "")
  endif()
  add_library(fewter_precompiled OBJECT "${PROJECT_BINARY_DIR}/precompiled.cc")
  target_link_libraries(fewter_precompiled PRIVATE fewter_arrow fewter_options)
  target_precompile_headers(fewter_precompiled PRIVATE ${FEWTER_PRECOMPILED})
  if(FEWTER_BUILD_TESTS)
    add_library(fewter_precompiled_for_tests OBJECT "${PROJECT_BINARY_DIR}/precompiled.cc")
    target_link_libraries(fewter_precompiled_for_tests PRIVATE fewter_arrow fewter_options GTest::gmock)
    target_precompile_headers(fewter_precompiled_for_tests PRIVATE ${FEWTER_PRECOMPILED} <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endfunction()
