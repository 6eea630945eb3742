# manual: the pages of man(1) and the completions of shells, told by the
# compiler itself into share/ of the build folder.
set(told ${CMAKE_BINARY_DIR}/share/told)
add_custom_command(OUTPUT ${told}
  COMMAND sh ${CMAKE_SOURCE_DIR}/cmake/manual.sh $<TARGET_FILE:snug>
          ${CMAKE_BINARY_DIR}/share
  COMMAND ${CMAKE_COMMAND} -E touch ${told}
  DEPENDS snug cmake/manual.sh VERBATIM)
add_custom_target(manual ALL DEPENDS ${told})
