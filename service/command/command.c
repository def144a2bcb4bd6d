#include "service/command/command.h"

#include <string.h>

#include "service/command/command_health.h"
#include "service/command/command_store.h"
#include "service/name.h"

static const struct command commands[] = {
#define COMMAND(function, name, operand, help) {name, operand, help, function},
#include "service/command/commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands, NAME_SHOWN_MAX = 100 };

static const char *
name_at(const void *context, size_t index)
{
    (void)context;
    return index < COMMAND_COUNT ? commands[index].name : NULL;
}

static enum err_code
unknown(const char *name, struct err *err)
{
    const char *near = name_nearest(bytes_of_text(name), name_at, NULL);

    if (near == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "there is no command '%.*s', and flags begin with --", NAME_SHOWN_MAX, name);
    return err_set(err, ERR_INVALID_ARGUMENT, "there is no command '%.*s': did you mean '%s'?",
                   NAME_SHOWN_MAX, name, near);
}

enum err_code
command_find(int argc, char **argv, const struct command **out, const char **operand, int *words,
             struct err *err)
{
    *out = NULL;
    *operand = NULL;
    *words = 0;
    if (argc < 2 || argv[1][0] == '-')
        return OK;
    for (size_t i = 0; i < COMMAND_COUNT && *out == NULL; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            *out = &commands[i];
    }
    if (*out == NULL)
        return unknown(argv[1], err);
    *words = 1;
    if ((*out)->operand == NULL)
        return OK;
    if (argc < 3 || strncmp(argv[2], "--", 2) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "usage: tensorkeep %s %s [--name VALUE] ...",
                       (*out)->name, (*out)->operand);
    *operand = argv[2];
    *words = 2;
    return OK;
}

void
command_print_help(FILE *out)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const char *operand = commands[i].operand == NULL ? "" : commands[i].operand;

        fprintf(out, "  %s %-*s %s\n", commands[i].name, (int)(35 - strlen(commands[i].name)),
                operand, commands[i].help);
    }
}
