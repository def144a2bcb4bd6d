#include "service/name.h"

#include <string.h>

static bool
is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_segment_byte(char c)
{
    return is_letter_or_digit(c) || c == '_' || c == '.' || c == '-';
}

static enum err_code
check_segment(const char *kind, const char *name, const char *segment, size_t length,
              struct err *err)
{
    if (length == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%.300s' is not a legal %s name: it has an empty segment", name, kind);
    if ((length == 1 && segment[0] == '.') || (length == 2 && memcmp(segment, "..", 2) == 0))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%.300s' is not a legal %s name: '.' and '..' are no segments", name, kind);
    for (size_t i = 0; i < length; i++) {
        if (!is_segment_byte(segment[i]))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "'%.300s' is not a legal %s name: letters, digits and _ . - /, not "
                           "byte 0x%02x",
                           name, kind, (unsigned)(unsigned char)segment[i]);
    }
    return OK;
}

enum err_code
name_check(const char *kind, const char *name, struct err *err)
{
    const char *segment = name;
    size_t size = strlen(name);

    if (size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "a %s name may not be empty", kind);
    if (size > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the %s name '%.40s…' has %zu bytes, at most %d are legal", kind, name, size,
                       NAME_BYTES_MAX);
    if (!is_letter_or_digit(name[0]) && name[0] != '.')
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%.300s' is not a legal %s name: it must begin with a letter, a digit or "
                       "'.'",
                       name, kind);
    for (;;) {
        const char *slash = strchr(segment, '/');
        size_t length = slash ? (size_t)(slash - segment) : strlen(segment);

        TRY(check_segment(kind, name, segment, length, err));
        if (slash == NULL)
            return OK;
        segment = slash + 1;
    }
}

enum err_code
name_check_model(const char *name, struct err *err)
{
    size_t size = strlen(name);

    if (size == 0 || size > NAME_MODEL_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a model name has 1 to %d bytes, not %zu",
                       NAME_MODEL_BYTES_MAX, size);
    if (!is_letter_or_digit(name[0]))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%s' is not a legal model name: it must begin with a letter or digit",
                       name);
    for (size_t i = 0; i < size; i++) {
        if (!is_segment_byte(name[i]))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "'%s' is not a legal model name: letters, digits and _ . - only", name);
    }
    return OK;
}

/* The length of the UTF-8 sequence at p (left bytes remain), 0 when it is none: no overlong forms,
 * no surrogates, nothing past U+10FFFF. */
static size_t
utf8_sequence(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
    uint32_t point = length == 4 ? p[0] & 7u : length == 3 ? p[0] & 15u : p[0] & 31u;

    if (length == 1)
        return 1;
    if (length == 0 || length > left || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (p[i] & 63u);
    }
    if (point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
        return 0;
    return length;
}

enum err_code
name_check_tensor(struct bytes name, struct err *err)
{
    size_t i = 0;

    if (name.size == 0 || name.size > NAME_TENSOR_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a tensor name in a checkpoint has 1 to %d bytes, not %zu",
                       NAME_TENSOR_BYTES_MAX, name.size);
    while (i < name.size) {
        size_t length = name.data[i] == 0 ? 0 : utf8_sequence(name.data + i, name.size - i);

        if (length == 0)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a tensor name must be UTF-8 without NUL; byte %zu of one is 0x%02x", i,
                           (unsigned)name.data[i]);
        i += length;
    }
    return OK;
}

enum err_code
name_check_start(const char *text, struct err *err)
{
    if (text == NULL || strlen(text) <= NAME_BYTES_MAX)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "a prefix or page token of %zu bytes, names have %d",
                   strlen(text), NAME_BYTES_MAX);
}

enum err_code
name_check_length(const char *what, const char *text, size_t bytes_max, struct err *err)
{
    if (text == NULL || strlen(text) <= bytes_max)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "a %s of %zu bytes, variables have %zu at most", what,
                   strlen(text), bytes_max);
}

size_t
name_without_output(const char *name)
{
    size_t size = strlen(name);

    return size > 2 && memcmp(name + size - 2, ":0", 2) == 0 ? size - 2 : size;
}
