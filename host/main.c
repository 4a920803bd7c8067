/* frontdesk: one binary, one file a subcommand (host/cli). */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "job/job.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "job", cli_job, "answer calls until told to stop" },
	{ "call", cli_call, "be a caller: join a room, speak, listen, measure" },
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static int usage(FILE *out, int code)
{
	fprintf(out, "frontdesk %s: answers a clinic's phone\n\n"
		"usage: frontdesk COMMAND [options]\n\n", FD_VERSION);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
	fprintf(out, "\nfrontdesk COMMAND --help tells more.\n");
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr, EXIT_USAGE_WRONG);
	if (!strcmp(argv[1], "--version")) {
		printf("frontdesk %s\n", FD_VERSION);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return usage(stdout, EXIT_DONE);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "frontdesk: \"%s\" is not a command\n\n", argv[1]);
	return usage(stderr, EXIT_USAGE_WRONG);
}
