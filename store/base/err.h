/* Errors: one enum, one struct, one word to propagate.
 *
 * A fallible function returns `enum err_code` and takes `struct err *err` last (NULL: the text is
 * not wanted). The code is for programs, the text for people, `where` for the log. The first
 * failure wins: err_set on an err that is already set changes nothing, so wrapping code loses
 * nothing. Texts name the thing and both sides: "variable 'w' is float32[3,4], the value is
 * float32[4,3]". Nothing here knows HTTP. */
#ifndef STORE_BASE_ERR_H
#define STORE_BASE_ERR_H

#include <stdint.h>

enum err_code {
    OK = 0,
#define ERR_CODE(name, wire, title) ERR_##name,
#include "store/base/err.def"
#undef ERR_CODE
    ERR_CODE_COUNT
};

enum { ERR_TEXT_BYTES_MAX = 1024, ERR_ABOUT_BYTES_MAX = 512 };

struct err {
    enum err_code code;
    const char *where;               /* "file.c:123", static */
    char text[ERR_TEXT_BYTES_MAX];   /* for people; cut, never overrun */
    const char *about_kind;          /* "variable", "checkpoint", "model" …, static, or NULL */
    char about[ERR_ABOUT_BYTES_MAX]; /* the name of that thing */
    int64_t failed_operation;        /* index in a multi-part request, -1 when not set */
    uint64_t current_revision;       /* what a failed condition met instead; 0 when not set */
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = OK, .failed_operation = -1                                                         \
    }
#define ERR_MUST_CHECK __attribute__((warn_unused_result))

#define ERR_STRINGIFY_(x) #x
#define ERR_STRINGIFY(x)  ERR_STRINGIFY_(x)
#define ERR_WHERE         __FILE__ ":" ERR_STRINGIFY(__LINE__)

/* Fail: `return err_set(err, ERR_NOT_FOUND, "no model '%s'", name);` Returns the code given. */
#define err_set(err, code, ...) err_set_at((err), (code), ERR_WHERE, __VA_ARGS__)
/* Propagate: leaves the enclosing function with the code of a failed call. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err_code try_code_ = (call);                                                          \
        if (try_code_ != OK)                                                                       \
            return try_code_;                                                                      \
    } while (0)

enum err_code err_set_at(struct err *err, enum err_code code, const char *where, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));
/* Say which thing an error is about; does nothing when err is NULL or something is named already.
 * `kind` is a literal; `name` is copied and cut. */
void err_about(struct err *err, const char *kind, const char *name);
/* Say where an error that is set happened: its text becomes "<prefix>: <text>". */
void err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);

/* The machine name clients see and the short title; both static. */
const char *err_wire_name(enum err_code code);
const char *err_title(enum err_code code);

#endif
