/* What robots measured, put together. Private to cli. */
#ifndef FD_CLI_FIGURES_H
#define FD_CLI_FIGURES_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/robot.h"

struct figures;
struct figures *figures_create(void);      /* aborts without memory */
void figures_destroy(struct figures *f);   /* NULL is fine */
void figures_add(struct figures *f, const struct robot_result *r);
/* Prints the table, or one JSON line. true: every call was answered. */
bool figures_print(const struct figures *f, FILE *out, bool json);

#endif
