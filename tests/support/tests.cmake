# Programs that tests drive.
if(TARGET fd_rtc)
	add_executable(rtc_probe ${CMAKE_CURRENT_LIST_DIR}/rtc_probe.c)
	target_link_libraries(rtc_probe PRIVATE fd_rtc PkgConfig::OPUS)
endif()
if(TARGET fd_livekit)
	add_executable(room_probe ${CMAKE_CURRENT_LIST_DIR}/room_probe.c)
	target_link_libraries(room_probe PRIVATE fd_livekit PkgConfig::OPUS)
endif()
