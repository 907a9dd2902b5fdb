# Finds libvalkey, the client library of Redis and Valkey, and defines the target fewter_valkey.
#
# 1. An installed one with TLS (pkg-config valkey and valkey_tls) is preferred.
# 2. Otherwise the C sources in FEWTER_VALKEY_SOURCE_DIR, which scripts/setup.sh fetches, are compiled into libfewter,
#    with their symbols hidden.
#
# FEWTER_REDIS is ON by default if one of them is there. Without it everything builds, and redis:// says that this build
# has no support for it. Debian 12's hiredis has neither TLS nor the fixes of the last five years.

set(FEWTER_VALKEY_SOURCE_DIR "${PROJECT_SOURCE_DIR}/build/third_party/libvalkey-4.2.1/vendor/libvalkey"
  CACHE PATH "Sources of libvalkey, for a system without it")

pkg_check_modules(valkey QUIET IMPORTED_TARGET valkey valkey_tls)
find_package(OpenSSL QUIET)

set(default OFF)
if(PROJECT_IS_TOP_LEVEL AND OPENSSL_FOUND AND (valkey_FOUND OR EXISTS "${FEWTER_VALKEY_SOURCE_DIR}/src/read.c"))
  set(default ON)
endif()
option(FEWTER_REDIS "Build the Redis/Valkey backend of the index cache" ${default})

# Compiles the sources as they are: another project's code, by our compiler but without our warnings.
function(fewter_add_valkey_sources folder)
  set(sources alloc async conn dict dns net read sds sockcompat timer tls valkey vkutil)
  list(TRANSFORM sources PREPEND "${folder}/src/")
  list(TRANSFORM sources APPEND ".c")
  # Objects rather than an archive: they become part of libfewter, which then needs nothing else when it is installed.
  add_library(fewter_valkey OBJECT ${sources})
  set_target_properties(fewter_valkey PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF C_VISIBILITY_PRESET hidden)
  # The last two replace the header that would make every symbol visible.
  target_compile_definitions(fewter_valkey PRIVATE VALKEY_USE_THREADS VALKEY_VISIBILITY_H LIBVALKEY_API=)
  target_compile_options(fewter_valkey PRIVATE -w)
  target_include_directories(fewter_valkey PRIVATE "${folder}/include/valkey" "${folder}/src")
  target_include_directories(fewter_valkey SYSTEM PUBLIC "${folder}/include")
  target_link_libraries(fewter_valkey PUBLIC OpenSSL::SSL OpenSSL::Crypto)
endfunction()

if(FEWTER_REDIS)
  find_package(OpenSSL REQUIRED)
  if(valkey_FOUND)
    add_library(fewter_valkey INTERFACE)
    target_link_libraries(fewter_valkey INTERFACE PkgConfig::valkey OpenSSL::SSL OpenSSL::Crypto)
    set(FEWTER_VALKEY_LIBRARIES PkgConfig::valkey OpenSSL::SSL OpenSSL::Crypto)
    message(STATUS "Redis: libvalkey ${valkey_VERSION} of the system")
  elseif(EXISTS "${FEWTER_VALKEY_SOURCE_DIR}/src/read.c")
    # The C compiler that belongs to the C++ one, so that both know the same sanitizers.
    if(NOT CMAKE_C_COMPILER AND CMAKE_CXX_COMPILER MATCHES "(clang|g)[+][+](-[0-9]+)?$")
      string(REGEX REPLACE "clang[+][+]((-[0-9]+)?)$" "clang\\1" c_compiler "${CMAKE_CXX_COMPILER}")
      string(REGEX REPLACE "g[+][+]((-[0-9]+)?)$" "gcc\\1" c_compiler "${c_compiler}")
      if(EXISTS "${c_compiler}")
        set(CMAKE_C_COMPILER "${c_compiler}")
      endif()
    endif()
    enable_language(C)
    fewter_add_valkey_sources("${FEWTER_VALKEY_SOURCE_DIR}")
    set(FEWTER_VALKEY_LIBRARIES $<BUILD_INTERFACE:fewter_valkey> OpenSSL::SSL OpenSSL::Crypto)
    message(STATUS "Redis: libvalkey in ${FEWTER_VALKEY_SOURCE_DIR}")
  else()
    message(FATAL_ERROR "FEWTER_REDIS needs libvalkey: install it with its TLS part, run scripts/setup.sh, or set "
      "FEWTER_VALKEY_SOURCE_DIR. There is nothing at ${FEWTER_VALKEY_SOURCE_DIR}")
  endif()
else()
  message(STATUS "Redis: not built")
endif()
