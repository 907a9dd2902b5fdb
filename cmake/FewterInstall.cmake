# cmake --install, and what find_package(fewter) reads.

include(CMakePackageConfigHelpers)

set(FEWTER_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/fewter")
# The wheel's library is linked by path, which CMake does not take for a library to remember at installation.
set_target_properties(fewter PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON INSTALL_RPATH "${FEWTER_ARROW_LIBRARY_DIR}")

if(FEWTER_PROMETHEUS)
  set_target_properties(fewter_prometheus PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON
    INSTALL_RPATH "$ORIGIN;${FEWTER_ARROW_LIBRARY_DIR}")
  install(TARGETS fewter_prometheus EXPORT fewterTargets
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
else()
  set(prometheus_headers PATTERN "prometheus" EXCLUDE)
endif()
install(TARGETS fewter EXPORT fewterTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/fewter" "${PROJECT_BINARY_DIR}/src/fewter"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*_internal.h" EXCLUDE PATTERN "*.pb.h" EXCLUDE
  ${prometheus_headers} PATTERN "cli" EXCLUDE PATTERN "CMakeFiles" EXCLUDE)
install(EXPORT fewterTargets NAMESPACE fewter:: DESTINATION "${FEWTER_CMAKE_DIR}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/fewterConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/fewterConfig.cmake" INSTALL_DESTINATION "${FEWTER_CMAKE_DIR}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/fewterConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/fewterConfig.cmake" "${PROJECT_BINARY_DIR}/fewterConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FewterArrow.cmake" DESTINATION "${FEWTER_CMAKE_DIR}")

if(FEWTER_BUILD_CLI)
  set_target_properties(fewter_cli PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};${FEWTER_ARROW_LIBRARY_DIR}")
  install(TARGETS fewter_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  if(TARGET fewter_parquet)
    set_target_properties(fewter_parquet PROPERTIES INSTALL_RPATH "${FEWTER_ARROW_LIBRARY_DIR}")
    install(TARGETS fewter_parquet LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  endif()
endif()
