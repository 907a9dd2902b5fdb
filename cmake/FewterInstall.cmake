# cmake --install, what find_package(fewter) and pkg-config read, and a Debian package of the command line.

include(CMakePackageConfigHelpers)

set(FEWTER_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/fewter")
# The wheel's library is linked by path, which CMake does not take for a library to remember at installation.
# In a Debian package it lies in a folder of ours.
set(FEWTER_ARROW_INSTALL_DIR "${CMAKE_INSTALL_LIBDIR}/fewter")
set(FEWTER_ARROW_RPATH "$ORIGIN/fewter;${FEWTER_ARROW_LIBRARY_DIR}")
set_target_properties(fewter PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON INSTALL_RPATH "${FEWTER_ARROW_RPATH}")

# All that is installed, for who builds no more than that.
add_custom_target(fewter_installed DEPENDS fewter)

# What lies beside libfewter, and is linked by who wants it.
foreach(library fewter_substrait_library fewter_prometheus)
  if(TARGET ${library})
    add_dependencies(fewter_installed ${library})
    set_target_properties(${library} PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON INSTALL_RPATH "$ORIGIN;${FEWTER_ARROW_RPATH}")
    install(TARGETS ${library} EXPORT fewterTargets
      LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
      ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
  endif()
endforeach()
if(NOT FEWTER_PROMETHEUS)
  set(prometheus_headers PATTERN "prometheus" EXCLUDE)
endif()
install(TARGETS fewter EXPORT fewterTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/src/fewter" "${PROJECT_BINARY_DIR}/src/fewter"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "*_internal.h" EXCLUDE PATTERN "*.pb.h" EXCLUDE
  ${prometheus_headers} PATTERN "cli" EXCLUDE PATTERN "CMakeFiles" EXCLUDE)
install(EXPORT fewterTargets NAMESPACE fewter:: DESTINATION "${FEWTER_CMAKE_DIR}" COMPONENT development)

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/fewterConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/fewterConfig.cmake" INSTALL_DESTINATION "${FEWTER_CMAKE_DIR}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/fewterConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/fewterConfig.cmake" "${PROJECT_BINARY_DIR}/fewterConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FewterArrow.cmake" DESTINATION "${FEWTER_CMAKE_DIR}" COMPONENT development)

if(FEWTER_ARROW_LIBRARY_DIR)
  get_target_property(arrow_includes fewter_arrow INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(arrow_library fewter_arrow INTERFACE_LINK_LIBRARIES)
  set(FEWTER_PC_CFLAGS "-isystem ${arrow_includes}")
  set(FEWTER_PC_LIBS "${arrow_library} -Wl,-rpath,${FEWTER_ARROW_LIBRARY_DIR}")
else()
  set(FEWTER_PC_REQUIRES arrow)
endif()
# From where the file lies, so that an installation can be moved.
file(RELATIVE_PATH FEWTER_PC_PREFIX "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file("${PROJECT_SOURCE_DIR}/cmake/fewter.pc.in" "${PROJECT_BINARY_DIR}/fewter.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/fewter.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)

if(FEWTER_BUILD_CLI)
  add_dependencies(fewter_installed fewter_cli)
  set_target_properties(fewter_cli PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON
    INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR};$ORIGIN/../${FEWTER_ARROW_INSTALL_DIR};${FEWTER_ARROW_LIBRARY_DIR}")
  install(TARGETS fewter_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
  if(TARGET fewter_parquet)
    add_dependencies(fewter_installed fewter_parquet)
    set_target_properties(fewter_parquet PROPERTIES INSTALL_RPATH "${FEWTER_ARROW_RPATH}")
    install(TARGETS fewter_parquet LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime)
  endif()
  if(FEWTER_CLI_PAGES)
    add_dependencies(fewter_installed fewter_cli_pages)
    install(FILES "${FEWTER_CLI_PAGES}/fewter.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT runtime)
    install(FILES "${FEWTER_CLI_PAGES}/fewter" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
      COMPONENT runtime)
    install(FILES "${FEWTER_CLI_PAGES}/_fewter" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions"
      COMPONENT runtime)
    install(FILES "${FEWTER_CLI_PAGES}/fewter.fish" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d"
      COMPONENT runtime)
  endif()
endif()

# `cpack --config build/release/CPackConfig.cmake`: the command line and what it runs with, but no headers, since those of
# Arrow are not ours to install.
if(PROJECT_IS_TOP_LEVEL AND FEWTER_BUILD_CLI)
  if(FEWTER_ARROW_LIBRARY_DIR)
    file(GLOB arrow_libraries "${FEWTER_ARROW_LIBRARY_DIR}/libarrow.so.*"
      "${FEWTER_ARROW_LIBRARY_DIR}/libarrow_compute.so.*"
      "${FEWTER_ARROW_LIBRARY_DIR}/libparquet.so.*")
    install(FILES ${arrow_libraries} DESTINATION "${FEWTER_ARROW_INSTALL_DIR}" COMPONENT arrow EXCLUDE_FROM_ALL)
    set(CPACK_COMPONENTS_ALL runtime arrow)
  else()
    set(CPACK_COMPONENTS_ALL runtime)
  endif()
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME fewter)
  set(CPACK_PACKAGE_CONTACT "The Fewter authors <fewter@localhost>")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION database)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${FEWTER_ARROW_LIBRARY_DIR}")
  include(CPack)
endif()
