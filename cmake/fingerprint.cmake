# fingerprint: a digest of what FILES say, without comments and blanks, and of
# the word WITH, as `kernels_fingerprint`.
set(text "${WITH}")
separate_arguments(FILES)
foreach(file ${FILES})
  file(READ ${file} content)
  string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" content "${content}")
  string(REGEX REPLACE "[ \t\r\n]+" "" content "${content}")
  string(APPEND text "\n${content}")
endforeach()
string(MD5 digest "${text}")
string(SUBSTRING ${digest} 0 16 digest)
file(WRITE ${OUT} "/* Made by cmake/fingerprint.cmake. */\n#include \"codegen/fingerprint.h\"\n\nconst char *const kernels_fingerprint = \"${digest}\";\n")
