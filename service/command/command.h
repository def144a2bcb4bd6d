/* What the program does instead of serving, once, and then ends: `tensorkeep NAME [OPERAND]
 * [--setting VALUE] ...`. One row of commands.def each. */
#ifndef SERVICE_COMMAND_COMMAND_H
#define SERVICE_COMMAND_COMMAND_H

#include <stdio.h>

#include "service/settings.h"
#include "store/store.h"

/* What stands behind a command's name. */
enum command_follows {
    COMMAND_SETTINGS, /* its operand, if it takes one, and settings */
    COMMAND_WORDS,    /* what it reads itself */
};

struct command_input {
    const char *operand;             /* NULL: none was given */
    const struct settings *settings; /* borrowed */
    struct store_config store;       /* made of them; in commit mode */
    int argc;                        /* of a command of words, which has none of the above */
    char **argv;                     /* borrowed */
    FILE *out;                       /* where it tells what it did */
};

typedef enum err_code command_run(const struct command_input *input, struct err *err);

struct command {
    const char *name;
    const char *operand; /* what it is called in the help; NULL: it takes none */
    const char *help;
    command_run *run;
    enum command_follows follows;
};

struct commands {
    const struct command *rows;
    size_t count;
};

/* The command that argv[1] names, NULL when that is a flag or nothing is there. *operand: argv[2]
 * if the command takes one. *words: how many words of argv these are. ERR_INVALID_ARGUMENT for a
 * name that is none, and for an operand that is missing. */
ERR_MUST_CHECK enum err_code command_find(const struct commands *commands, int argc, char **argv,
                                          const struct command **out, const char **operand,
                                          int *words, struct err *err);
void command_print_help(const struct commands *commands, FILE *out);

#endif
