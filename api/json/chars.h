/* Small questions about characters, free of locale. */
#ifndef API_JSON_CHARS_H
#define API_JSON_CHARS_H

#include "store/base/bytes.h"

static inline bool
api_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool
api_is_alnum(uint8_t c)
{
    return api_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The value of a hexadecimal digit, -1 for another character. */
static inline int
api_hex_value(uint8_t c)
{
    if (api_is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Two digits a byte, small letters, and a NUL: 2 * bytes.size + 1 in all. */
void api_chars_hex(struct bytes bytes, char *out);
/* Digits only, at least one, no overflow. */
bool api_chars_u64(struct bytes text, uint64_t *out);
/* Without case (ASCII). */
bool api_chars_equal(struct bytes text, const char *other);
/* A token of RFC 9110 section 5.6.2: a header's name, a type, a parameter's name. */
bool api_chars_is_token(struct bytes text);
/* Without the spaces and tabs around it. */
struct bytes api_chars_trim(struct bytes text);
/* Cuts the text before the first `separator` off *rest; false when nothing is left. */
bool api_chars_next(struct bytes *rest, char separator, struct bytes *out);

#endif
