# The VAD's loops want to be vectorised and fused, in debug builds too (there
# 1.5 % of a core a call without). -fno-trapping-math lets gcc turn the clamps
# into masks; no result changes by it.
set_source_files_properties(${PROJECT_SOURCE_DIR}/host/audio/vad.c PROPERTIES
	COMPILE_OPTIONS "-O3;-ffp-contract=fast;-fno-trapping-math")
