# tests: each tests/NAME_test.c is one Criterion program and one ctest, linked
# with every room that is built. tests/run.sh runs them too.
enable_testing()

# What a test may link, as far as it is built here. The runtime comes with the
# compiler's sanitizers.
set(test_rooms "")
foreach(room snug_codegen snug_onnx snug_passes snug_ir)
  if(TARGET ${room})
    list(APPEND test_rooms ${room})
  endif()
endforeach()
if(TARGET snug_rt_san)
  list(APPEND test_rooms snug_rt_san)
elseif(TARGET snug_rt)
  list(APPEND test_rooms snug_rt)
endif()

set(plain_tests kernel_test contract_whole_test)
add_custom_target(tests)

# A test's own room: tests/NAME_test.c and, if there, tests/NAME_test_*.c.
function(criterion_test source)
  get_filename_component(name ${source} NAME_WE)
  file(GLOB more CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}_*.c)
  add_executable(${name} ${source} ${more})
  target_link_libraries(${name} ${test_rooms} PkgConfig::CRITERION
    PkgConfig::JANSSON Threads::Threads m)
  target_compile_definitions(${name} PRIVATE
    TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TEST_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(SNUG_SANITIZE)
    target_compile_options(${name} PRIVATE
      -fsanitize=address,undefined -fno-sanitize-recover=undefined)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  endif()
  # Run sanitized; of a plain build only what scripts of tests/program run.
  if(NOT SNUG_SANITIZE AND NOT name IN_LIST plain_tests)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  add_dependencies(tests ${name})
  add_test(NAME ${name} COMMAND ${name}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

if(TARGET PkgConfig::CRITERION)
  file(GLOB test_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*_test.c)
  foreach(source ${test_sources})
    criterion_test(${source})
  endforeach()
else()
  message(STATUS "Criterion is missing: tests in C are not built")
endif()

add_test(NAME layers COMMAND ${CMAKE_SOURCE_DIR}/tests/layers.sh
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})

# Tools that scripts of tests/program run.
file(GLOB tool_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/tools/*.c)
foreach(source ${tool_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} ${test_rooms} PkgConfig::JANSSON
    Threads::Threads m)
  target_compile_definitions(${name} PRIVATE TEST_TOOL
    TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  if(SNUG_SANITIZE)
    target_compile_options(${name} PRIVATE
      -fsanitize=address,undefined -fno-sanitize-recover=undefined)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  endif()
endforeach()

# Benchmarks: built when asked for by name.
file(GLOB bench_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bench/*.c)
foreach(source ${bench_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} ${test_rooms} Threads::Threads m)
endforeach()
