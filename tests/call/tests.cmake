# Calls as data: call/<behaviour>.call, played on virtual time against the
# turn machine by run_call. One test a file; the language is in run_call.c.
file(GLOB fixtures CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.call)
add_executable(run_call ${CMAKE_CURRENT_LIST_DIR}/run_call.c)
target_link_libraries(run_call PRIVATE fd_call)
foreach(fixture ${fixtures})
	get_filename_component(name ${fixture} NAME_WE)
	add_test(NAME call/${name} COMMAND run_call ${fixture})
	set_tests_properties(call/${name} PROPERTIES LABELS call TIMEOUT 20)
endforeach()
# The runner itself must be able to fail.
file(GLOB wrong CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/wrong/*.call)
foreach(fixture ${wrong})
	get_filename_component(name ${fixture} NAME_WE)
	add_test(NAME call/wrong/${name} COMMAND run_call ${fixture})
	set_tests_properties(call/wrong/${name} PROPERTIES LABELS call
		TIMEOUT 20 WILL_FAIL ON)
endforeach()
