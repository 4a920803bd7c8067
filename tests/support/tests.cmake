# Programs that tests drive.
if(TARGET fd_rtc)
	add_executable(rtc_probe ${CMAKE_CURRENT_LIST_DIR}/rtc_probe.c)
	target_link_libraries(rtc_probe PRIVATE fd_rtc PkgConfig::OPUS)
endif()
