/* Lenient reading of JSON trees (cJSON): wrong type reads as missing. */
#ifndef FD_BASE_JSON_H
#define FD_BASE_JSON_H

#include <stdbool.h>

#include <cjson/cJSON.h>

/* Member that is a string, else NULL. Borrowed from the tree. obj may be
 * NULL in all of these. */
const char *json_str(const cJSON *obj, const char *key);
/* Member that is a number, else fallback. */
double json_num(const cJSON *obj, const char *key, double fallback);
/* Member that is true or false, else fallback. */
bool json_bool(const cJSON *obj, const char *key, bool fallback);
/* Member of any type, else NULL. */
const cJSON *json_get(const cJSON *obj, const char *key);
/* Element i of the member that is an array, else NULL. */
const cJSON *json_at(const cJSON *obj, const char *key, int i);
/* Parses n bytes that need no ending NUL; NULL when malformed. */
cJSON *json_parse(const void *text, size_t n);
/* Compact text in fresh memory (free()); aborts without memory. */
char *json_text(const cJSON *tree);

#endif
