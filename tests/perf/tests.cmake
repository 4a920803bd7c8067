# Measurements and their tools: tests/perf/<name>.c, one program each. The
# ones that judge themselves are tests with the label perf.
file(GLOB sources CONFIGURE_DEPENDS perf/*.c)
foreach(source ${sources})
	get_filename_component(target ${source} NAME_WE)
	add_executable(${target} ${source})
	set(below ${FD_LAYERS})
	list(REVERSE below)
	if(target MATCHES "vad|audio|reflex")
		set(below fd_audio)
	endif()
	target_link_libraries(${target} PRIVATE ${below})
endforeach()

if(TARGET vad_heap)
	target_link_options(vad_heap PRIVATE -Wl,--wrap=malloc
		-Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=free
		-Wl,--wrap=pthread_mutex_lock)
	add_test(NAME perf/vad_heap COMMAND vad_heap)
	set_tests_properties(perf/vad_heap PROPERTIES LABELS unit)
endif()
# Sanitizers cost time that is not ours.
if(TARGET bench_vad AND NOT FD_SANITIZE)
	add_test(NAME perf/bench_vad COMMAND bench_vad)
	set_tests_properties(perf/bench_vad PROPERTIES LABELS perf)
endif()
