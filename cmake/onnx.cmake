# onnx: the messages by protoc-c, then the frontend on top of them.
find_program(PROTOC_C protoc-c REQUIRED)
set(pb ${CMAKE_BINARY_DIR}/onnx)
add_custom_command(OUTPUT ${pb}/onnx.pb-c.c ${pb}/onnx.pb-c.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pb}
  COMMAND ${PROTOC_C} --c_out=${pb}
          --proto_path=${CMAKE_SOURCE_DIR}/frontend/onnx onnx.proto
  DEPENDS ${CMAKE_SOURCE_DIR}/frontend/onnx/onnx.proto VERBATIM)
add_library(onnx_pb STATIC ${pb}/onnx.pb-c.c ${pb}/onnx.pb-c.h)
target_compile_options(onnx_pb PRIVATE -w)
target_include_directories(onnx_pb SYSTEM PUBLIC ${pb})
target_link_libraries(onnx_pb PUBLIC PkgConfig::PROTOBUFC)

room(snug_onnx GLOBS frontend/onnx/*.c LINK snug_ir onnx_pb)
