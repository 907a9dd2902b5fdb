# A module is one folder below src/fewter: an object library that may use only the modules it names, so that the rule
# "nothing lower knows anything higher" is checked by the linker in each module's own tests.
#
#   fewter_module(cache SOURCES key.cc ... USES util ipc LIBRARIES xxhash)
#   fewter_test(cache SOURCES key_test.cc ...)         one test program for the module, tests found by ctest
#   fewter_fuzzer(cache envelope_fuzz SEEDS dir)       one libFuzzer program
#   fewter_benchmark(simd distance_benchmark)          one Google Benchmark program
#
# Headers are installed unless their name ends in _internal.h.

set_property(GLOBAL PROPERTY FEWTER_MODULES "")

function(fewter_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(fewter_${name} OBJECT ${ARG_SOURCES})
  target_include_directories(fewter_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src" "${PROJECT_BINARY_DIR}/src")
  target_link_libraries(fewter_${name} PUBLIC fewter_arrow PRIVATE fewter_options)
  target_precompile_headers(fewter_${name} REUSE_FROM fewter_precompiled)
  if(ARG_LIBRARIES)
    target_link_libraries(fewter_${name} PRIVATE ${ARG_LIBRARIES})
  endif()
  set(closure ${name})
  foreach(used IN LISTS ARG_USES)
    get_property(below GLOBAL PROPERTY FEWTER_CLOSURE_${used})
    list(APPEND closure ${below})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set_property(GLOBAL PROPERTY FEWTER_CLOSURE_${name} "${closure}")
  set_property(GLOBAL PROPERTY FEWTER_LIBRARIES_${name} "${ARG_LIBRARIES}")
  set_property(GLOBAL APPEND PROPERTY FEWTER_MODULES ${name})
endfunction()

# Links `target` to the objects and libraries of a module and of all it may use.
function(fewter_link_module target name)
  get_property(closure GLOBAL PROPERTY FEWTER_CLOSURE_${name})
  foreach(module IN LISTS closure)
    get_property(libraries GLOBAL PROPERTY FEWTER_LIBRARIES_${module})
    target_link_libraries(${target} PRIVATE fewter_${module} ${libraries})
  endforeach()
  target_link_libraries(${target} PRIVATE fewter_arrow fewter_options)
endfunction()

# Links `target` to the objects and libraries of every module, so that it is the whole library.
function(fewter_link_all_modules target)
  get_property(modules GLOBAL PROPERTY FEWTER_MODULES)
  foreach(module IN LISTS modules)
    get_property(libraries GLOBAL PROPERTY FEWTER_LIBRARIES_${module})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:fewter_${module}> ${libraries})
  endforeach()
endfunction()

function(fewter_test name)
  if(NOT FEWTER_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  set(target fewter_${name}_test)
  add_executable(${target} ${ARG_SOURCES})
  fewter_link_module(${target} ${name})
  fewter_discover_tests(${target} ${name})
endfunction()

# Makes ctest tests, called `prefix`.…, of a GoogleTest program: one for each of its own; under sanitizers, where starting a
# process costs more than most tests do, one for each of a few shards.
function(fewter_discover_tests target prefix)
  target_link_libraries(${target} PRIVATE GTest::gmock GTest::gtest_main)
  target_precompile_headers(${target} REUSE_FROM fewter_precompiled_for_tests)
  if(FEWTER_SANITIZE)
    set(shards 4)
    math(EXPR last "${shards} - 1")
    foreach(shard RANGE ${last})
      add_test(NAME ${prefix}.${shard} COMMAND ${target} --gtest_brief=1)
      set_tests_properties(${prefix}.${shard} PROPERTIES TIMEOUT 1500
        ENVIRONMENT "${FEWTER_TEST_ENVIRONMENT};GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${shard}")
    endforeach()
    return()
  endif()
  # Discovery cannot pass on an environment of several variables, but it does run the program as on another machine.
  set_target_properties(${target} PROPERTIES CROSSCOMPILING_EMULATOR "/usr/bin/env;${FEWTER_TEST_ENVIRONMENT}")
  gtest_discover_tests(${target} TEST_PREFIX "${prefix}." DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120
    PROPERTIES TIMEOUT 600)
endfunction()

function(fewter_fuzzer name source)
  if(NOT FEWTER_BUILD_FUZZERS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "SEEDS" "" ${ARGN})
  get_filename_component(program "${source}" NAME)
  add_executable(${program} ${source}.cc)
  fewter_link_module(${program} ${name})
  target_link_options(${program} PRIVATE -fsanitize=fuzzer)
  # A short run over the seeds: a regression test, not the search for new bugs that a long run is.
  set(seconds 10)
  add_test(NAME fuzz.${program}
    COMMAND ${CMAKE_COMMAND} -E env ${FEWTER_TEST_ENVIRONMENT}
            bash "${PROJECT_SOURCE_DIR}/scripts/run_fuzzer.sh" $<TARGET_FILE:${program}> ${seconds} ${ARG_SEEDS})
  set_tests_properties(fuzz.${program} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

function(fewter_benchmark name program)
  if(NOT FEWTER_BUILD_BENCHMARKS)
    return()
  endif()
  add_executable(${program} ${program}.cc)
  fewter_link_module(${program} ${name})
  target_link_libraries(${program} PRIVATE benchmark::benchmark_main)
endfunction()
