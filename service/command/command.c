#include "service/command/command.h"

#include <string.h>

#include "service/name.h"

enum { NAME_SHOWN_MAX = 100 };

static const char *
name_at(const void *context, size_t index)
{
    const struct commands *commands = context;

    return index < commands->count ? commands->rows[index].name : NULL;
}

static enum err_code
unknown(const struct commands *commands, const char *name, struct err *err)
{
    const char *near = name_nearest(bytes_of_text(name), name_at, commands);

    if (near == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "there is no command '%.*s', and flags begin with --", NAME_SHOWN_MAX, name);
    return err_set(err, ERR_INVALID_ARGUMENT, "there is no command '%.*s': did you mean '%s'?",
                   NAME_SHOWN_MAX, name, near);
}

enum err_code
command_find(const struct commands *commands, int argc, char **argv, const struct command **out,
             const char **operand, int *words, struct err *err)
{
    *out = NULL;
    *operand = NULL;
    *words = 0;
    if (argc < 2 || argv[1][0] == '-')
        return OK;
    for (size_t i = 0; i < commands->count && *out == NULL; i++) {
        if (strcmp(argv[1], commands->rows[i].name) == 0)
            *out = &commands->rows[i];
    }
    if (*out == NULL)
        return unknown(commands, argv[1], err);
    *words = 1;
    if ((*out)->operand == NULL || (*out)->follows == COMMAND_WORDS)
        return OK;
    if (argc < 3 || strncmp(argv[2], "--", 2) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "usage: tensorkeep %s %s [--name VALUE] ...",
                       (*out)->name, (*out)->operand);
    *operand = argv[2];
    *words = 2;
    return OK;
}

void
command_print_help(const struct commands *commands, FILE *out)
{
    fputs("tensorkeep: model state behind plain HTTP\n\n"
          "usage: tensorkeep [COMMAND] [--name VALUE | --name=VALUE] ...\n\n"
          "Without a command it serves. Commands, of which those on a data folder want no server "
          "there:\n\n",
          out);
    for (size_t i = 0; i < commands->count; i++) {
        const struct command *row = &commands->rows[i];

        fprintf(out, "  %s %-*s %s\n", row->name, (int)(35 - strlen(row->name)),
                row->operand == NULL ? "" : row->operand, row->help);
    }
    fputc('\n', out);
}
