# cmake -DOUT=file.c "-DFILES=a.lua;b.lua" -P embed.cmake
set(arrays "")
set(rows "")
set(n 0)
foreach(file ${FILES})
	get_filename_component(name ${file} NAME_WE)
	file(READ ${file} hex HEX)
	string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
	string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
		"\\1\n" bytes "${bytes}")
	string(APPEND arrays
		"static const unsigned char lua_${n}[] = {\n${bytes}0\n};\n")
	string(APPEND rows
		"\t{ \"${name}\", lua_${n}, sizeof lua_${n} - 1 },\n")
	math(EXPR n "${n} + 1")
endforeach()
file(WRITE ${OUT} "/* Made by bindings/embed.cmake from scripts/lib. */
#include \"bindings/api_int.h\"

${arrays}
const struct shipped_lua shipped_lua[] = {
${rows}};
const size_t shipped_lua_n = ${n};
")
