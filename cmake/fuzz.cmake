# fuzz: the fuzz targets of tests/fuzz, built by clang in the folder fuzz of a
# sanitized build. Without clang there is a line that says so, and no targets.
if(SNUG_SANITIZE)
  find_program(FUZZ_CLANG NAMES clang-14 clang)
  if(FUZZ_CLANG)
    add_custom_target(fuzz ALL VERBATIM
      COMMAND ${CMAKE_COMMAND} -S ${CMAKE_SOURCE_DIR}/tests/fuzz
              -B ${CMAKE_BINARY_DIR}/fuzz -G ${CMAKE_GENERATOR}
              -DCMAKE_C_COMPILER=${FUZZ_CLANG}
      COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR}/fuzz
      COMMENT "Building the fuzz targets")
  else()
    message(STATUS "clang is missing: the fuzz targets are not built")
  endif()
endif()
