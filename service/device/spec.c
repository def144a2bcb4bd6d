#include "service/device/spec.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    /* A part is "name:value" or "device:TYPE:index": one more is one too many. */
    PIECES_MAX = 4,
    /* As Python prints a text: every byte as \xNN at worst, and its quotes. */
    REPR_BYTES_MAX = 4 * DEVICE_TEXT_BYTES_MAX + 3,
    /* Two texts, three numbers and what stands between them. */
    PRINT_BYTES_MAX = 2 * DEVICE_TEXT_BYTES_MAX + 128,
    /* All of a text but its job and its type: the longest numbers, and what stands before them. */
    NUMBERS_BYTES_MAX = sizeof "/job:/replica:/task:/device::" + 3 * sizeof "-2147483647",
};

/* A run of the text; borrows from it. */
struct piece {
    const char *text;
    size_t size;
};

static bool
piece_is(struct piece piece, const char *word)
{
    return piece.size == strlen(word) && memcmp(piece.text, word, piece.size) == 0;
}

/* The text as Python's repr() has it: single quotes unless only those are inside. */
static const char *
print_repr(struct piece piece, char out[static REPR_BYTES_MAX])
{
    bool single = piece.size > 0 && memchr(piece.text, '\'', piece.size) != NULL;
    bool twice = piece.size > 0 && memchr(piece.text, '"', piece.size) != NULL;
    char quote = single && !twice ? '"' : '\'';
    size_t at = 0;

    out[at++] = quote;
    for (size_t i = 0; i < piece.size; i++) {
        unsigned char c = (unsigned char)piece.text[i];

        if (c == '\\' || c == (unsigned char)quote)
            at += (size_t)snprintf(out + at, REPR_BYTES_MAX - at, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            at += (size_t)snprintf(out + at, REPR_BYTES_MAX - at, "\\%c",
                                   c == '\n'   ? 'n'
                                   : c == '\r' ? 'r'
                                               : 't');
        else if (c < 0x20 || c == 0x7f)
            at += (size_t)snprintf(out + at, REPR_BYTES_MAX - at, "\\x%02x", c);
        else
            out[at++] = (char)c;
    }
    out[at++] = quote;
    out[at] = '\0';
    return out;
}

static bool
is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Python 2.7's int(text): blanks around it and a sign are fine; '_' and digits of other scripts,
 * which later ones take, are not. */
static enum err_code
parse_number(const char *what, struct piece piece, int32_t *out, struct err *err)
{
    char repr[REPR_BYTES_MAX];
    const char *p = piece.text, *end = piece.text + piece.size;
    bool negative = false;
    int64_t value = 0;

    while (p < end && is_blank(*p))
        p++;
    while (end > p && is_blank(end[-1]))
        end--;
    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    for (const char *digit = p; digit < end || p == end; digit++) {
        if (p == end || *digit < '0' || *digit > '9')
            return err_set(err, ERR_INVALID_ARGUMENT, "invalid literal for int() with base 10: %s",
                           print_repr(piece, repr));
        if (value <= INT32_MAX)
            value = value * 10 + (*digit - '0');
    }
    if (value > INT32_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the %s of a device is a number of 32 bits, %d at most, not %s", what,
                       INT32_MAX, print_repr(piece, repr));
    *out = (int32_t)(negative ? -value : value);
    return OK;
}

static void
copy_piece(char out[static DEVICE_TEXT_BYTES_MAX + 1], struct piece piece)
{
    memcpy(out, piece.text, piece.size);
    out[piece.size] = '\0';
}

/* "cpu", "GPU:1", "device:TPU:*". */
static enum err_code
parse_device(struct piece type, const struct piece *index, const char *whole,
             struct device_spec *out, struct err *err)
{
    if (out->has_type)
        return err_set(err, ERR_INVALID_ARGUMENT, "Cannot specify multiple device types: %s",
                       whole);
    copy_piece(out->type, type);
    out->has_type = true;
    if (index == NULL || piece_is(*index, "*"))
        return OK;
    TRY(parse_number("index", *index, &out->index, err));
    out->has_index = true;
    return OK;
}

static enum err_code
parse_part(const struct piece *pieces, size_t count, const char *whole, struct device_spec *out,
           struct err *err)
{
    struct piece name = pieces[0];

    if (count == 2 && piece_is(name, "job")) {
        copy_piece(out->job, pieces[1]);
        out->has_job = true;
    } else if (count == 2 && piece_is(name, "replica")) {
        TRY(parse_number("replica", pieces[1], &out->replica, err));
        out->has_replica = true;
    } else if (count == 2 && piece_is(name, "task")) {
        TRY(parse_number("task", pieces[1], &out->task, err));
        out->has_task = true;
    } else if (count <= 2 && name.size == 3 && strncasecmp(name.text, "cpu", 3) == 0) {
        TRY(parse_device((struct piece){"CPU", 3}, count == 2 ? &pieces[1] : NULL, whole, out,
                         err));
    } else if (count <= 2 && name.size == 3 && strncasecmp(name.text, "gpu", 3) == 0) {
        TRY(parse_device((struct piece){"GPU", 3}, count == 2 ? &pieces[1] : NULL, whole, out,
                         err));
    } else if (count == 3 && piece_is(name, "device")) {
        TRY(parse_device(pieces[1], &pieces[2], whole, out, err));
    } else if (name.size > 0) { /* Python passes over what has no name at all: "/", "/:7" */
        return err_set(err, ERR_INVALID_ARGUMENT, "Unknown attribute: '%.*s' in '%s'",
                       (int)name.size, name.text, whole);
    }
    return OK;
}

enum err_code
device_spec_parse(const char *text, struct device_spec *out, struct err *err)
{
    struct piece pieces[PIECES_MAX];
    const char *part = text;

    memset(out, 0, sizeof *out);
    if (strlen(text) > DEVICE_TEXT_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a device string has at most %d bytes, '%.40s…' has %zu",
                       DEVICE_TEXT_BYTES_MAX, text, strlen(text));
    for (;;) {
        const char *end = part + strcspn(part, "/"), *p = part;
        size_t count = 0;

        for (;;) {
            size_t size = strcspn(p, ":/");

            if (count < PIECES_MAX)
                pieces[count++] = (struct piece){p, size};
            if (p + size == end)
                break;
            p += size + 1;
        }
        TRY(parse_part(pieces, count, text, out, err));
        if (*end == '\0')
            break;
        part = end + 1;
    }
    return device_spec_check(out, err);
}

/* Texts that would come back as something else when they are read again. */
static enum err_code
take_text(const char *what, const char *text, char out[static DEVICE_TEXT_BYTES_MAX + 1],
          struct err *err)
{
    size_t size = strlen(text);

    if (size > DEVICE_TEXT_BYTES_MAX || strpbrk(text, "/:") != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the %s of a device is a word of at most %d bytes without '/' and ':', not "
                       "'%.255s%s'",
                       what, DEVICE_TEXT_BYTES_MAX, text, size > DEVICE_TEXT_BYTES_MAX ? "…" : "");
    memcpy(out, text, size + 1);
    return OK;
}

static enum err_code
take_number(const char *what, const int64_t *given, bool *has, int32_t *out, struct err *err)
{
    if (given == NULL)
        return OK;
    if (*given > INT32_MAX || *given < -INT32_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the %s of a device is a number of 32 bits, %d at most, not %lld", what,
                       INT32_MAX, (long long)*given);
    *has = true;
    *out = (int32_t)*given;
    return OK;
}

enum err_code
device_spec_of_parts(const struct device_parts *parts, struct device_spec *out, struct err *err)
{
    const char *type = parts->type;

    memset(out, 0, sizeof *out);
    if (parts->job != NULL)
        TRY(take_text("job", parts->job, out->job, err));
    if (type != NULL) {
        type = strcmp(type, "cpu") == 0 ? "CPU" : strcmp(type, "gpu") == 0 ? "GPU" : type;
        TRY(take_text("type", type, out->type, err));
    }
    out->has_job = parts->job != NULL;
    out->has_type = type != NULL;
    TRY(take_number("replica", parts->replica, &out->has_replica, &out->replica, err));
    TRY(take_number("task", parts->task, &out->has_task, &out->task, err));
    TRY(take_number("index", parts->index, &out->has_index, &out->index, err));
    return device_spec_check(out, err);
}

/* Returns the length of the whole, which may be more than there is room for. */
static size_t
print(const struct device_spec *spec, char out[static PRINT_BYTES_MAX])
{
    size_t at = 0;

    out[0] = '\0';
    if (spec->has_job)
        at += (size_t)snprintf(out + at, PRINT_BYTES_MAX - at, "/job:%s", spec->job);
    if (spec->has_replica)
        at += (size_t)snprintf(out + at, PRINT_BYTES_MAX - at, "/replica:%d", spec->replica);
    if (spec->has_task)
        at += (size_t)snprintf(out + at, PRINT_BYTES_MAX - at, "/task:%d", spec->task);
    if (spec->has_type && spec->has_index)
        at += (size_t)snprintf(out + at, PRINT_BYTES_MAX - at, "/device:%s:%d", spec->type,
                               spec->index);
    else if (spec->has_type)
        at += (size_t)snprintf(out + at, PRINT_BYTES_MAX - at, "/device:%s:*", spec->type);
    return at;
}

enum err_code
device_spec_check(const struct device_spec *spec, struct err *err)
{
    char text[PRINT_BYTES_MAX];
    size_t size;

    /* Most need no printing, and every part of every variable that is placed comes by here. */
    if ((spec->has_job ? strlen(spec->job) : 0) + (spec->has_type ? strlen(spec->type) : 0) +
            NUMBERS_BYTES_MAX <=
        DEVICE_TEXT_BYTES_MAX)
        return OK;
    size = print(spec, text);
    if (size > DEVICE_TEXT_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a device string has at most %d bytes, '%.40s…' has %zu",
                       DEVICE_TEXT_BYTES_MAX, text, size);
    return OK;
}

const char *
device_spec_print(const struct device_spec *spec, char out[static DEVICE_TEXT_BYTES_MAX + 1])
{
    char text[PRINT_BYTES_MAX];

    print(spec, text);
    snprintf(out, DEVICE_TEXT_BYTES_MAX + 1, "%.*s", DEVICE_TEXT_BYTES_MAX, text);
    return out;
}

enum err_code
device_spec_merge(struct device_spec *into, const struct device_spec *from, struct err *err)
{
    struct device_spec merged = *into;

    if (from->has_job) {
        merged.has_job = true;
        memcpy(merged.job, from->job, sizeof merged.job);
    }
    if (from->has_replica) {
        merged.has_replica = true;
        merged.replica = from->replica;
    }
    if (from->has_task) {
        merged.has_task = true;
        merged.task = from->task;
    }
    if (from->has_type) {
        merged.has_type = true;
        memcpy(merged.type, from->type, sizeof merged.type);
    }
    if (from->has_index) {
        merged.has_index = true;
        merged.index = from->index;
    }
    TRY(device_spec_check(&merged, err));
    *into = merged;
    return OK;
}

bool
device_spec_covers(const struct device_spec *filter, const struct device_spec *of)
{
    return (!filter->has_job || (of->has_job && strcmp(filter->job, of->job) == 0)) &&
           (!filter->has_replica || (of->has_replica && filter->replica == of->replica)) &&
           (!filter->has_task || (of->has_task && filter->task == of->task)) &&
           (!filter->has_type || (of->has_type && strcmp(filter->type, of->type) == 0)) &&
           (!filter->has_index || (of->has_index && filter->index == of->index));
}

bool
device_spec_equal(const struct device_spec *a, const struct device_spec *b)
{
    return device_spec_covers(a, b) && device_spec_covers(b, a);
}

bool
device_spec_is_empty(const struct device_spec *spec)
{
    return !spec->has_job && !spec->has_replica && !spec->has_task && !spec->has_type &&
           !spec->has_index;
}

enum err_code
device_scopes_merge(const struct device_scope *scopes, size_t count, struct device_spec *out,
                    struct err *err)
{
    memset(out, 0, sizeof *out);
    for (size_t i = count; i-- > 0 && !scopes[i].resets;) {
        struct device_spec merged = scopes[i].spec;

        TRY(device_spec_merge(&merged, out, err));
        /* The op's device is kept as its text, in which an index without a type has no place. */
        if (!merged.has_type)
            merged.has_index = false;
        *out = merged;
    }
    return OK;
}
