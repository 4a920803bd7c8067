# The VAD's loops want to be vectorised and fused, in debug builds too, where
# it would take some per cent of a core a call. -fno-trapping-math lets gcc
# turn the clamps into masks; results stay exact.
set_source_files_properties(${PROJECT_SOURCE_DIR}/host/audio/vad.c PROPERTIES
	COMPILE_OPTIONS "-O3;-ffp-contract=fast;-fno-trapping-math")
