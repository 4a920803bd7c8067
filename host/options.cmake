# Switches that the presets set, and the warnings that stay clean.
option(FD_TESTS "Build the tests" ON)
option(FD_WERROR "Warnings are errors" OFF)
set(FD_SANITIZE "" CACHE STRING "address,undefined or thread")
option(FD_FUZZ "Build the fuzz targets for libFuzzer (clang)" OFF)

add_compile_definitions(_GNU_SOURCE FD_VERSION="${PROJECT_VERSION}")
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wcast-align -Wvla
	-Wmissing-prototypes -Wold-style-definition -Wstrict-prototypes
	-Wbad-function-cast -Wno-missing-field-initializers
	-fno-strict-aliasing -fno-math-errno)
# assert() stays on in release: a broken invariant must stop, not go on.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO
	"${CMAKE_C_FLAGS_RELWITHDEBINFO}")
if(FD_WERROR)
	add_compile_options(-Werror)
endif()
if(FD_SANITIZE)
	add_compile_options(-fsanitize=${FD_SANITIZE} -fno-omit-frame-pointer
		-fno-sanitize-recover=all)
	add_link_options(-fsanitize=${FD_SANITIZE})
endif()
if(FD_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link,address,undefined
		-fno-sanitize-recover=all -fno-omit-frame-pointer)
	add_link_options(-fsanitize=address,undefined)
endif()
