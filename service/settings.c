/* Settings from four places. Always true: a later place beats an earlier one (defaults, --config
 * file, environment, flags), every value was checked against its row of settings.def, and whatever
 * is wrong is named together with where it stands. */
#include "service/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "service/name.h"
#include "store/base/check.h"

enum kind { TEXT, FLAG, NUMBER, BYTES, MILLISECONDS };

static const char *const kind_names[] = {"TEXT", "FLAG", "NUMBER", "BYTES", "MILLISECONDS"};

struct row {
    const char *name, *help;
    enum kind kind;
    size_t offset;
    const char *text;          /* TEXT: the default */
    uint64_t number, min, max; /* otherwise */
};

#define DEFAULT_TEXT(value)         (value), 0
#define DEFAULT_FLAG(value)         NULL, (value)
#define DEFAULT_NUMBER(value)       NULL, (value)
#define DEFAULT_BYTES(value)        NULL, (value)
#define DEFAULT_MILLISECONDS(value) NULL, (value)

static const struct row rows[] = {
#define SETTING(name, kind, default_value, min, max, help)                                         \
    {#name, help, kind, offsetof(struct settings, name), DEFAULT_##kind(default_value), min, max},
#include "service/settings.def"
#undef SETTING
};

enum {
    ROW_COUNT = sizeof rows / sizeof *rows,
    ROW_NAME_BYTES_MAX = 64,
    LINE_BYTES_MAX = SETTING_TEXT_BYTES_MAX + 2 * ROW_NAME_BYTES_MAX,
    VALUE_SHOWN_MAX = 100,
};

/* --- names --------------------------------------------------------------------------------- */

/* '-' and '_' are the same; -1: there is no such setting. */
static int
find(const char *name, size_t length)
{
    for (int i = 0; i < ROW_COUNT; i++) {
        size_t k = 0;

        while (k < length && rows[i].name[k] != '\0' &&
               (rows[i].name[k] == name[k] || (rows[i].name[k] == '_' && name[k] == '-')))
            k++;
        if (k == length && rows[i].name[k] == '\0')
            return i;
    }
    return -1;
}

static const char *
name_at(const void *context, size_t index)
{
    (void)context;
    return index < ROW_COUNT ? rows[index].name : NULL;
}

static enum err_code
unknown(const char *name, size_t length, const char *where, struct err *err)
{
    int shown = length < VALUE_SHOWN_MAX ? (int)length : VALUE_SHOWN_MAX;
    char underscored[VALUE_SHOWN_MAX];
    const char *near;

    for (int i = 0; i < shown; i++)
        underscored[i] = (char)(name[i] == '-' ? '_' : name[i]);
    near = name_nearest(bytes_of(underscored, (size_t)shown), name_at, NULL);
    if (near == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: there is no setting '%.*s'", where, shown,
                       name);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s: there is no setting '%.*s': did you mean '%s'?",
                   where, shown, name, near);
}

/* --- values -------------------------------------------------------------------------------- */

static void
put_number(struct settings *settings, const struct row *row, uint64_t value)
{
    char *place = (char *)settings + row->offset;
    bool flag = value != 0;

    if (row->kind == FLAG)
        memcpy(place, &flag, sizeof flag);
    else
        memcpy(place, &value, sizeof value);
}

static uint64_t
get_number(const struct settings *settings, const struct row *row)
{
    const char *place = (const char *)settings + row->offset;
    uint64_t value;
    bool flag;

    if (row->kind == FLAG) {
        memcpy(&flag, place, sizeof flag);
        return flag;
    }
    memcpy(&value, place, sizeof value);
    return value;
}

/* "30", "64k", "1m", "4g", "2t" (of 1024); milliseconds also "250ms", "30s". */
static bool
parse_number(const struct row *row, const char *text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        enum kind kind;
        uint64_t factor;
    } units[] = {{"k", BYTES, UINT64_C(1) << 10}, {"m", BYTES, UINT64_C(1) << 20},
                 {"g", BYTES, UINT64_C(1) << 30}, {"t", BYTES, UINT64_C(1) << 40},
                 {"K", BYTES, UINT64_C(1) << 10}, {"M", BYTES, UINT64_C(1) << 20},
                 {"G", BYTES, UINT64_C(1) << 30}, {"T", BYTES, UINT64_C(1) << 40},
                 {"ms", MILLISECONDS, 1},         {"s", MILLISECONDS, 1000}};
    uint64_t value = 0;
    size_t i = 0;

    for (; text[i] >= '0' && text[i] <= '9'; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    if (i == 0)
        return false;
    *out = value;
    if (text[i] == '\0')
        return true;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        if (units[u].kind == row->kind && strcmp(text + i, units[u].suffix) == 0)
            return !__builtin_mul_overflow(value, units[u].factor, out);
    return false;
}

static bool
parse_flag(const char *text, uint64_t *out)
{
    static const char *const yes[] = {"true", "1", "yes", "on"}, *const no[] = {"false", "0", "no",
                                                                                "off"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static enum err_code
set(struct settings *settings, const struct row *row, const char *text, const char *where,
    struct err *err)
{
    uint64_t value = 0;

    if (row->kind == TEXT) {
        size_t length = strlen(text);

        if (length >= SETTING_TEXT_BYTES_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: setting '%s' has more than %d bytes",
                           where, row->name, SETTING_TEXT_BYTES_MAX - 1);
        memcpy((char *)settings + row->offset, text, length + 1);
        return OK;
    }
    if (row->kind == FLAG ? !parse_flag(text, &value) : !parse_number(row, text, &value))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: setting '%s' must be %s, not '%.*s'", where,
                       row->name,
                       row->kind == FLAG           ? "true or false"
                       : row->kind == BYTES        ? "a number of bytes such as 4096, 64k, 1m or 4g"
                       : row->kind == MILLISECONDS ? "a number of milliseconds such as 500 or 30s"
                                                   : "a whole number",
                       VALUE_SHOWN_MAX, text);
    if (value < row->min || value > row->max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: setting '%s' is %" PRIu64 ", it must be between %" PRIu64
                       " and %" PRIu64,
                       where, row->name, value, row->min, row->max);
    put_number(settings, row, value);
    return OK;
}

static void
set_defaults(struct settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].kind == TEXT)
            CHECK(set(settings, &rows[i], rows[i].text, "default", NULL) == OK);
        else
            put_number(settings, &rows[i], rows[i].number);
    }
}

/* --- places -------------------------------------------------------------------------------- */

static char *
trim(char *text)
{
    size_t length;

    while (*text == ' ' || *text == '\t')
        text++;
    length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* `name = value`; # begins a comment line. */
static enum err_code
read_line(struct settings *settings, char *line, const char *where, struct err *err)
{
    char *name = trim(line), *sign = strchr(name, '=');
    int i;

    if (name[0] == '\0' || name[0] == '#')
        return OK;
    if (sign == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: a line must be `name = value`, not '%.*s'",
                       where, VALUE_SHOWN_MAX, name);
    *sign = '\0';
    name = trim(name);
    i = find(name, strlen(name));
    if (i < 0)
        return unknown(name, strlen(name), where, err);
    if (strcmp(rows[i].name, "config") == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: a file of settings cannot name another",
                       where);
    return set(settings, &rows[i], trim(sign + 1), where, err);
}

static void
close_file(FILE **file)
{
    if (*file != NULL)
        (void)fclose(*file);
}

static enum err_code
read_file(struct settings *settings, const char *path, struct err *err)
{
    __attribute__((cleanup(close_file))) FILE *file = fopen(path, "re");
    char line[LINE_BYTES_MAX], where[SETTING_TEXT_BYTES_MAX + 32];

    if (file == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "cannot read the file of settings '%s': %s", path,
                       strerror(errno));
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        snprintf(where, sizeof where, "%s line %u", path, number);
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n')
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: the line is too long", where);
        TRY(read_line(settings, line, where, err));
    }
    if (ferror(file))
        return err_set(err, ERR_INVALID_ARGUMENT, "cannot read the file of settings '%s': %s", path,
                       strerror(errno));
    return OK;
}

static void
environment_name(const char *name, char out[static 2 * ROW_NAME_BYTES_MAX])
{
    size_t length = (size_t)snprintf(out, 2 * ROW_NAME_BYTES_MAX, "TENSORKEEP_%s", name);

    for (size_t i = 0; i < length; i++)
        if (out[i] >= 'a' && out[i] <= 'z')
            out[i] = (char)(out[i] - 'a' + 'A');
}

static enum err_code
read_environment(struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char name[2 * ROW_NAME_BYTES_MAX];
        const char *value;

        environment_name(rows[i].name, name);
        value = getenv(name);
        if (value != NULL)
            TRY(set(settings, &rows[i], value, name, err));
    }
    return OK;
}

struct flag {
    const struct row *row; /* NULL: --help, --version */
    const char *value;
    char where[2 * ROW_NAME_BYTES_MAX];
};

/* The flag at argv[*i]; *i moves past it and its value. */
static enum err_code
read_flag(int argc, char **argv, int *i, struct flag *out, bool *help, bool *version,
          struct err *err)
{
    const char *word = argv[*i], *name = word + 2, *sign = strchr(word, '=');
    size_t length = sign == NULL ? strlen(word) - 2 : (size_t)(sign - name);
    int row;

    ++*i;
    out->row = NULL;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        *help = true;
    else if (strcmp(word, "--version") == 0)
        *version = true;
    if (*help || *version)
        return OK;
    if (strncmp(word, "--", 2) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%.*s' is not a flag: flags begin with --",
                       VALUE_SHOWN_MAX, word);
    row = find(name, length);
    if (row < 0)
        return unknown(name, length, "command line", err);
    out->row = &rows[row];
    snprintf(out->where, sizeof out->where, "--%.*s", ROW_NAME_BYTES_MAX, rows[row].name);
    if (sign != NULL)
        out->value = sign + 1;
    else if (rows[row].kind == FLAG)
        out->value = "true";
    else if (*i < argc)
        out->value = argv[(*i)++];
    else
        return err_set(err, ERR_INVALID_ARGUMENT, "%s needs a value", out->where);
    return OK;
}

/* All flags, or only --config. */
static enum err_code
read_flags(struct settings *settings, int argc, char **argv, bool only_config, bool *help,
           bool *version, struct err *err)
{
    for (int i = 1; i < argc;) {
        struct flag flag;

        TRY(read_flag(argc, argv, &i, &flag, help, version, err));
        if (*help || *version)
            return OK;
        if (!only_config || strcmp(flag.row->name, "config") == 0)
            TRY(set(settings, flag.row, flag.value, flag.where, err));
    }
    return OK;
}

enum err_code
settings_read(int argc, char **argv, struct settings *out, bool *help, bool *version,
              struct err *err)
{
    const char *config = getenv("TENSORKEEP_CONFIG");

    *help = *version = false;
    set_defaults(out);
    if (config != NULL)
        TRY(set(out, &rows[find("config", 6)], config, "TENSORKEEP_CONFIG", err));
    TRY(read_flags(out, argc, argv, true, help, version, err));
    if (*help || *version)
        return OK;
    if (out->config[0] != '\0') {
        char path[SETTING_TEXT_BYTES_MAX];

        memcpy(path, out->config, sizeof path);
        TRY(read_file(out, path, err));
    }
    TRY(read_environment(out, err));
    return read_flags(out, argc, argv, false, help, version, err);
}

/* --- telling ------------------------------------------------------------------------------- */

static void
print_value(const struct settings *settings, const struct row *row, char *out, size_t out_size)
{
    if (row->kind == TEXT)
        snprintf(out, out_size, "%s", (const char *)settings + row->offset);
    else if (row->kind == FLAG)
        snprintf(out, out_size, "%s", get_number(settings, row) ? "true" : "false");
    else
        snprintf(out, out_size, "%" PRIu64, get_number(settings, row));
}

void
settings_each(const struct settings *settings, settings_visitor *visit, void *context)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char value[SETTING_TEXT_BYTES_MAX];

        print_value(settings, &rows[i], value, sizeof value);
        visit(context, rows[i].name, kind_names[rows[i].kind], value, rows[i].help);
    }
}

void
settings_print_help(FILE *out)
{
    static const char *const forms[] = {" TEXT", "", " N", " BYTES", " MS"};
    struct settings defaults;

    set_defaults(&defaults);
    fputs(
        "Each setting is also the environment variable TENSORKEEP_NAME and a line `name = value`\n"
        "of the --config file; a flag beats the environment, the environment beats the file.\n\n",
        out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char flag[2 * ROW_NAME_BYTES_MAX], value[SETTING_TEXT_BYTES_MAX];

        snprintf(flag, sizeof flag, "--%s%s", rows[i].name, forms[rows[i].kind]);
        for (char *c = flag + 2; *c != '\0' && *c != ' '; c++)
            *c = *c == '_' ? '-' : *c;
        print_value(&defaults, &rows[i], value, sizeof value);
        fprintf(out, "  %-36s %s", flag, rows[i].help);
        if (rows[i].kind != FLAG && value[0] != '\0')
            fprintf(out, " [%s]", value);
        fputc('\n', out);
    }
    fputs("  --help                               this list\n"
          "  --version                            the version\n",
          out);
}
