#include "store/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *wire, *title;
} names[ERR_CODE_COUNT] = {
    [OK] = {"OK", "OK"},
#define ERR_CODE(name, wire, title) [ERR_##name] = {wire, title},
#include "store/base/err.def"
#undef ERR_CODE
};

enum err_code
err_set_at(struct err *err, enum err_code code, const char *where, const char *format, ...)
{
    va_list args;

    if (err == NULL || err->code != OK)
        return code;
    err->code = code;
    err->where = where;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

void
err_about(struct err *err, const char *kind, const char *name)
{
    if (err == NULL || err->about_kind != NULL)
        return;
    err->about_kind = kind;
    snprintf(err->about, sizeof err->about, "%s", name);
}

void
err_prefix(struct err *err, const char *format, ...)
{
    char text[ERR_TEXT_BYTES_MAX];
    va_list args;
    int length, room;

    if (err == NULL || err->code == OK)
        return;
    memcpy(text, err->text, sizeof text);
    va_start(args, format);
    length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    room = ERR_TEXT_BYTES_MAX - length - 3; /* ": " and the NUL */
    if (length >= 0 && room > 0)
        snprintf(err->text + length, (size_t)room + 3, ": %.*s", room, text);
}

void
err_clear(struct err *err)
{
    if (err == NULL)
        return;
    err->code = OK;
    err->where = NULL;
    err->text[0] = '\0';
    err->about_kind = NULL;
    err->about[0] = '\0';
    err->failed_operation = -1;
    err->current_revision = 0;
}

const char *
err_wire_name(enum err_code code)
{
    return names[code].wire;
}

const char *
err_title(enum err_code code)
{
    return names[code].title;
}
