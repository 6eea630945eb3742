# install: where things lie below a prefix. All places are relative: the compiler
# finds what it needs beside itself, so an installed tree may be moved. `lib` is
# the same folder on every distribution, for that reason.
#   cmake --install build --prefix P        DESTDIR=D is put in front
#   cmake --build build --target uninstall  what the last installation wrote
include(CMakePackageConfigHelpers)

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # no tests need to be built for it

install(TARGETS snug DESTINATION bin)
install(TARGETS snug-milp DESTINATION libexec/snug)
install(TARGETS snug_rt snug_rt_main ARCHIVE DESTINATION lib/snug)
install(FILES runtime/rt.h DESTINATION lib/snug)
install(FILES runtime/rt.h DESTINATION include/snug)
install(FILES passes/plugin_abi.h DESTINATION include/snug RENAME plugin.h)
install(FILES ${shared} DESTINATION share/snug/runtime)
install(FILES ${XXHASH_FOLDER}/xxhash.h DESTINATION share/snug/include)
install(FILES python/snug.py DESTINATION lib/python3/dist-packages)

# What projects that use compiled models look for.
configure_file(cmake/snug-runtime.pc.in ${CMAKE_BINARY_DIR}/snug-runtime.pc
  @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/snug-runtime.pc DESTINATION lib/pkgconfig)
set(config ${CMAKE_BINARY_DIR}/SnugConfig.cmake)
configure_package_config_file(cmake/SnugConfig.cmake.in ${config}
  INSTALL_DESTINATION lib/cmake/Snug NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(
  ${CMAKE_BINARY_DIR}/SnugConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${config} ${CMAKE_BINARY_DIR}/SnugConfigVersion.cmake
  DESTINATION lib/cmake/Snug)

# What people read.
install(FILES README.md CHANGELOG.md ARCHITECTURE.md LICENSE
  DESTINATION share/doc/snug)
install(FILES cmake/copyright DESTINATION share/doc/snug)
install(DIRECTORY docs DESTINATION share/doc/snug FILES_MATCHING
  PATTERN "*.md")
install(DIRECTORY examples DESTINATION share/doc/snug)
# Pages and completions, as the compiler told them when it was built.
set(told ${CMAKE_BINARY_DIR}/share)
install(DIRECTORY ${told}/man DESTINATION share OPTIONAL)
install(FILES ${told}/completions/bash/snug OPTIONAL
  DESTINATION share/bash-completion/completions)
install(FILES ${told}/completions/zsh/_snug OPTIONAL
  DESTINATION share/zsh/site-functions)
install(FILES ${told}/completions/fish/snug.fish OPTIONAL
  DESTINATION share/fish/vendor_completions.d)

add_custom_target(uninstall VERBATIM
  COMMAND ${CMAKE_COMMAND}
          -DMANIFEST=${CMAKE_BINARY_DIR}/install_manifest.txt
          -P ${CMAKE_SOURCE_DIR}/cmake/uninstall.cmake)

include(cmake/package.cmake)
