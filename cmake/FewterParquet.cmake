# Finds the Parquet library that belongs to Arrow C++ and defines the target fewter_libparquet, unless there is none: then
# the command line writes no Parquet.

if(FEWTER_ARROW_LIBRARY_DIR)
  file(GLOB library "${FEWTER_ARROW_LIBRARY_DIR}/libparquet.so.*")
  if(library)
    add_library(fewter_libparquet INTERFACE IMPORTED GLOBAL)
    target_link_libraries(fewter_libparquet INTERFACE "${library}" fewter_arrow)
  endif()
else()
  find_package(Parquet QUIET)
  if(TARGET Parquet::parquet_shared)
    add_library(fewter_libparquet INTERFACE IMPORTED GLOBAL)
    target_link_libraries(fewter_libparquet INTERFACE Parquet::parquet_shared fewter_arrow)
  endif()
endif()
