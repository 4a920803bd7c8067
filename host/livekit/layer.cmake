# The messages: livekit.proto compiled by protoc-c into the build tree.
find_program(PROTOC_C protoc-c REQUIRED)
set(proto ${PROJECT_SOURCE_DIR}/host/livekit/livekit.proto)
set(proto_out ${PROJECT_BINARY_DIR}/generated/livekit)
file(MAKE_DIRECTORY ${proto_out})
add_custom_command(
	OUTPUT ${proto_out}/livekit.pb-c.c ${proto_out}/livekit.pb-c.h
	COMMAND ${PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/host/livekit
		--c_out=${proto_out} livekit.proto
	DEPENDS ${proto} VERBATIM)
# A target of its own, so that tests that include the header wait for it too.
add_custom_target(fd_livekit_proto
	DEPENDS ${proto_out}/livekit.pb-c.c ${proto_out}/livekit.pb-c.h)
add_dependencies(fd_livekit fd_livekit_proto)
target_sources(fd_livekit PRIVATE ${proto_out}/livekit.pb-c.c)
set_source_files_properties(${proto_out}/livekit.pb-c.c PROPERTIES
	COMPILE_OPTIONS "-w")
target_include_directories(fd_livekit SYSTEM PUBLIC
	${PROJECT_BINARY_DIR}/generated)

# gzip, for the join request in the query
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
target_link_libraries(fd_livekit PUBLIC PkgConfig::ZLIB)
