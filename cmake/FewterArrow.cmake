# Finds Arrow C++ and defines the targets fewter_arrow, and fewter_arrow_compute and fewter_arrow_substrait for its
# libraries of that name.
#
# 1. FEWTER_ARROW=system (or auto, the default): find_package(Arrow), a system or conda install.
# 2. FEWTER_ARROW=wheel (or auto without a system one): the headers and libraries inside the pyarrow wheel of
#    FEWTER_PYTHON, which carry S3, compute and Flight too. The wheel has no CMake files and its library names carry the
#    version (libarrow.so.2600), so they are linked by path.
#
# This file is also installed and included by fewterConfig.cmake, so that a consumer resolves Arrow in the same way.

set(FEWTER_ARROW "auto" CACHE STRING "Where Arrow C++ comes from: auto, system or wheel")
set_property(CACHE FEWTER_ARROW PROPERTY STRINGS auto system wheel)

function(fewter_find_wheel_arrow)
  if(NOT FEWTER_PYTHON AND SKBUILD)
    # The wheel that is being built belongs to this Python.
    set(FEWTER_PYTHON "${Python_EXECUTABLE}" CACHE FILEPATH "A Python that has pyarrow")
  endif()
  if(NOT FEWTER_PYTHON)
    find_program(FEWTER_PYTHON NAMES python3 python
      HINTS "${CMAKE_CURRENT_SOURCE_DIR}/.venv/bin" NO_DEFAULT_PATH)
    find_program(FEWTER_PYTHON NAMES python3 python)
  endif()
  execute_process(
    COMMAND "${FEWTER_PYTHON}" -c
      "import pyarrow, os; print(os.path.dirname(pyarrow.__file__)); print(pyarrow.__version__)"
    OUTPUT_VARIABLE answer ERROR_VARIABLE complaint OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "No Arrow C++: there is no system Arrow for find_package(Arrow), and ${FEWTER_PYTHON} has no "
      "pyarrow. Run scripts/setup.sh, or set FEWTER_PYTHON to a Python that has pyarrow.\n${complaint}")
  endif()
  string(REPLACE "\n" ";" answer "${answer}")
  list(GET answer 0 folder)
  list(GET answer 1 version)
  # The wheel's library names carry the so version.
  file(GLOB library "${folder}/libarrow.so.*")
  list(LENGTH library count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "Expected one libarrow.so.* in ${folder}, found: ${library}")
  endif()
  add_library(fewter_arrow INTERFACE IMPORTED GLOBAL)
  target_include_directories(fewter_arrow SYSTEM INTERFACE "${folder}/include")
  target_link_libraries(fewter_arrow INTERFACE "${library}")
  foreach(part compute substrait)
    file(GLOB library "${folder}/libarrow_${part}.so.*")
    add_library(fewter_arrow_${part} INTERFACE IMPORTED GLOBAL)
    # What it needs itself lies beside it.
    target_link_libraries(fewter_arrow_${part} INTERFACE fewter_arrow "${library}" "-Wl,-rpath-link,${folder}")
  endforeach()
  set(FEWTER_ARROW_FROM "pyarrow ${version} wheel in ${folder}" PARENT_SCOPE)
  set(FEWTER_ARROW_VERSION "${version}" PARENT_SCOPE)
  set(FEWTER_ARROW_LIBRARY_DIR "${folder}" PARENT_SCOPE)
endfunction()

if(NOT TARGET fewter_arrow)
  if(NOT FEWTER_ARROW STREQUAL "wheel")
    if(FEWTER_ARROW STREQUAL "system")
      find_package(Arrow REQUIRED)
    else()
      find_package(Arrow QUIET)
    endif()
  endif()
  if(Arrow_FOUND)
    add_library(fewter_arrow INTERFACE IMPORTED GLOBAL)
    target_link_libraries(fewter_arrow INTERFACE Arrow::arrow_shared)
    foreach(part Compute Substrait)
      find_package(Arrow${part} QUIET)
      if(NOT Arrow${part}_FOUND)
        message(FATAL_ERROR "Arrow ${Arrow_VERSION} of the system is there without its library Arrow${part}, which filters "
          "need. Install it too, or set FEWTER_ARROW=wheel to take all of Arrow from the pyarrow wheel of FEWTER_PYTHON.")
      endif()
    endforeach()
    add_library(fewter_arrow_compute INTERFACE IMPORTED GLOBAL)
    add_library(fewter_arrow_substrait INTERFACE IMPORTED GLOBAL)
    target_link_libraries(fewter_arrow_compute INTERFACE ArrowCompute::arrow_compute_shared)
    target_link_libraries(fewter_arrow_substrait INTERFACE ArrowSubstrait::arrow_substrait_shared)
    set(FEWTER_ARROW_VERSION "${Arrow_VERSION}")
    set(FEWTER_ARROW_FROM "Arrow ${Arrow_VERSION} of the system")
  else()
    fewter_find_wheel_arrow()
  endif()
  message(STATUS "Arrow C++: ${FEWTER_ARROW_FROM}")
endif()
