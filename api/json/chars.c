/* Small questions about characters. Nothing here allocates or looks past the bytes given. */
#include "api/json/chars.h"

#include <string.h>

void
api_chars_hex(struct bytes bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.size; i++) {
        *out++ = digits[bytes.data[i] >> 4];
        *out++ = digits[bytes.data[i] & 15];
    }
    *out = '\0';
}

bool
api_chars_u64(struct bytes text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!api_is_digit(text.data[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool
api_chars_equal(struct bytes text, const char *other)
{
    if (strlen(other) != text.size)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (lower(text.data[i]) != lower((uint8_t)other[i]))
            return false;
    return true;
}

bool
api_chars_is_token(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!api_is_alnum(c) && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return text.size > 0;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct bytes
api_chars_trim(struct bytes text)
{
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

bool
api_chars_next(struct bytes *rest, char separator, struct bytes *out)
{
    const uint8_t *end;

    if (rest->data == NULL || rest->size == 0)
        return false;
    end = memchr(rest->data, separator, rest->size);
    if (end == NULL) {
        *out = *rest;
        *rest = bytes_of(NULL, 0);
        return true;
    }
    *out = bytes_of(rest->data, (size_t)(end - rest->data));
    rest->size -= out->size + 1;
    rest->data = end + 1;
    return true;
}
