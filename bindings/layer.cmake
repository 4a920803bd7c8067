# Lua shipped inside the binary: scripts/lib/*.lua become one C file.
file(GLOB shipped CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/scripts/lib/*.lua)
set(shipped_c ${PROJECT_BINARY_DIR}/bindings/shipped_lua.c)
add_custom_command(OUTPUT ${shipped_c}
	COMMAND ${CMAKE_COMMAND} -DOUT=${shipped_c} "-DFILES=${shipped}"
		-P ${PROJECT_SOURCE_DIR}/bindings/embed.cmake
	DEPENDS ${shipped} ${PROJECT_SOURCE_DIR}/bindings/embed.cmake
	VERBATIM)
target_sources(fd_bindings PRIVATE ${shipped_c})
