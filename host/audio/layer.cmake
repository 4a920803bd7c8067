# The VAD's loops want to be vectorised and fused, in debug builds too:
# unoptimised it takes 1 % of a core a call.
set_source_files_properties(${PROJECT_SOURCE_DIR}/host/audio/vad.c PROPERTIES
	COMPILE_OPTIONS "-O3;-ffp-contract=fast")
