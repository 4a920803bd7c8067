/* The subcommands: argv[0] is the command's name; each returns an exit code
 * (job/job.h). */
#ifndef FD_CLI_CLI_H
#define FD_CLI_CLI_H

#include "call/call.h"

int cli_job(int argc, char **argv);
int cli_call(int argc, char **argv);

/* Prints the conversation of all calls as it happens (development): pass as
 * job_cfg.on_note. */
void show_note(void *arg, struct call *c, const struct call_note *n);

#endif
