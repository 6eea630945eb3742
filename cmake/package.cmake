# package: the Debian package: `cpack --config build/CPackConfig.cmake`.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME snug)
set(CPACK_PACKAGE_VENDOR "the Snug project")
set(CPACK_PACKAGE_CONTACT "the Snug project <snug@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
  "compiler of ONNX models into training programs of a given size")
set(CPACK_PACKAGE_DESCRIPTION
  "Snug reads an ONNX model and a number of bytes and writes a native program
that trains the model in exactly that many bytes.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "gcc | c-compiler, libc6-dev, binutils")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
  "python3-numpy, gcc-aarch64-linux-gnu, gcc-riscv64-linux-gnu")
# The libraries that the executables need, by the packages that have them.
find_program(DPKG_SHLIBDEPS dpkg-shlibdeps)
if(DPKG_SHLIBDEPS)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
include(CPack)
