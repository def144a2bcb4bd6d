/* Text helpers of the edge. All of them are total: any bytes are answered, none are trusted. */
#include "api/json/text.h"

#include <nettle/base64.h>

#include "service/name.h"

enum { BASE64_CHUNK_BYTES = 3 * 4096 };

/* --- UTF-8 --------------------------------------------------------------------------------- */

size_t
api_utf8_character(struct bytes text) /* Unicode 15, table 3-7 */
{
    const uint8_t *p = text.data;
    uint8_t low = 0x80, high = 0xbf;
    size_t size;

    if (text.size == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (text.size < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

size_t
api_utf8_prefix(struct bytes text)
{
    size_t at = 0;

    while (at < text.size) {
        size_t size;
        uint64_t eight;

        if (text.size - at >= sizeof eight) {
            memcpy(&eight, text.data + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size = api_utf8_character(bytes_of(text.data + at, text.size - at));
        if (size == 0)
            return at;
        at += size;
    }
    return at;
}

bool
api_utf8_valid(struct bytes text)
{
    return api_utf8_prefix(text) == text.size;
}

size_t
api_utf8_cut(struct bytes text, size_t size)
{
    if (size >= text.size)
        return text.size;
    while (size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

const char *
api_text_shown(struct bytes text, char out[static API_SHOWN_BYTES_MAX + 1])
{
    size_t size = 0;

    while (text.size > 0) {
        size_t length = api_utf8_character(text), taken = length == 0 ? 1 : length;

        if (size + taken > API_SHOWN_BYTES_MAX)
            break;
        if (length == 0 || text.data[0] < 0x20 || text.data[0] == 0x7f)
            out[size] = '?';
        else
            memcpy(out + size, text.data, length);
        size += taken;
        text = bytes_of(text.data + taken, text.size - taken);
    }
    out[size] = '\0';
    return out;
}

/* --- JSON strings -------------------------------------------------------------------------- */

static size_t
escaped(uint8_t c, char out[static 6])
{
    static const char hex[] = "0123456789abcdef";
    static const char *const shorts = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (const char *p = shorts; *p != '\0'; p += 2)
        if ((uint8_t)*p == c) {
            out[0] = '\\';
            out[1] = p[1];
            return 2;
        }
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

enum err_code
api_json_escape(struct bytes text, struct buf *out, struct err *err)
{
    size_t from = 0;
    char code[6];

    TRY(buf_append_byte(out, '"', err));
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        TRY(buf_append(out, text.data + from, i - from, err));
        TRY(buf_append(out, code, escaped(c, code), err));
        from = i + 1;
    }
    if (from < text.size)
        TRY(buf_append(out, text.data + from, text.size - from, err));
    return buf_append_byte(out, '"', err);
}

static uint32_t
hex_value(const uint8_t *p)
{
    uint32_t value = 0;

    for (size_t i = 0; i < 4; i++) {
        uint8_t digit = p[i];

        value = value << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
    }
    return value;
}

size_t
api_utf8_put(uint32_t character, uint8_t out[static API_UTF8_BYTES_MAX])
{
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (uint8_t)(0xc0 | character >> 6);
        out[1] = (uint8_t)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (uint8_t)(0xe0 | character >> 12);
        out[1] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | character >> 18);
    out[1] = (uint8_t)(0x80 | (character >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (character >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (character & 0x3f));
    return 4;
}

/* One escape, p at the backslash: its bytes, and how much text it takes. */
static size_t
unescaped(const uint8_t *p, uint8_t out[static 4], size_t *taken)
{
    static const char *const shorts = "b\bf\fn\nr\rt\t";
    uint32_t code;

    *taken = 2;
    if (p[1] != 'u') {
        out[0] = p[1];
        for (const char *s = shorts; *s != '\0'; s += 2)
            if ((uint8_t)*s == p[1])
                out[0] = (uint8_t)s[1];
        return 1;
    }
    *taken = 6;
    code = hex_value(p + 2);
    if (code >> 10 == 0xd800 >> 10) {
        *taken = 12;
        code = 0x10000 + ((code & 0x3ff) << 10) + (hex_value(p + 8) & 0x3ff);
    }
    return api_utf8_put(code, out);
}

size_t
api_json_unescape(struct bytes inner, uint8_t *out)
{
    const uint8_t *p = inner.data, *end = inner.data + inner.size;
    size_t size = 0, taken;
    uint8_t code[4];

    while (p < end) {
        const uint8_t *escape = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape == NULL ? end : escape) - p), count;

        if (out != NULL && plain > 0)
            memcpy(out + size, p, plain);
        size += plain;
        p += plain;
        if (escape == NULL)
            break;
        count = unescaped(p, code, &taken);
        if (out != NULL)
            memcpy(out + size, code, count);
        size += count;
        p += taken;
    }
    return size;
}

/* --- base64 -------------------------------------------------------------------------------- */

enum err_code
api_base64_encode(struct bytes bytes, struct buf *out, struct err *err)
{
    uint8_t *room = NULL;

    while (bytes.size > 0) {
        size_t take = bytes.size < BASE64_CHUNK_BYTES ? bytes.size : BASE64_CHUNK_BYTES;

        TRY(buf_reserve(out, BASE64_ENCODE_RAW_LENGTH(take), &room, err));
        base64_encode_raw((char *)room, take, bytes.data);
        buf_commit(out, BASE64_ENCODE_RAW_LENGTH(take));
        bytes = bytes_of(bytes.data + take, bytes.size - take);
    }
    return OK;
}

static struct bytes
without_padding(struct bytes text)
{
    if (text.size % 4 == 0)
        for (int i = 0; i < 2 && text.size > 0 && text.data[text.size - 1] == '='; i++)
            text.size--;
    return text;
}

bool
api_base64_size(struct bytes text, size_t *out)
{
    text = without_padding(text);
    if (text.size % 4 == 1)
        return false;
    *out = text.size / 4 * 3 + (text.size % 4 == 0 ? 0 : text.size % 4 - 1);
    return true;
}

/* From ' ' to DEL; 64 for what is not in the alphabet. */
static const uint8_t sextets[96] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63, 52, 53, 54, 55, 56, 57, 58, 59,
    60, 61, 64, 64, 64, 64, 64, 64, 64, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64, 64, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
};

static uint32_t
sextet(uint8_t c)
{
    uint8_t index = (uint8_t)(c - ' ');

    return index < sizeof sextets ? sextets[index] : 64;
}

bool
api_base64_decode(struct bytes text, uint8_t *out)
{
    struct bytes digits = without_padding(text);
    uint32_t group = 0, bad = 0;
    size_t i = 0;

    if (digits.size % 4 == 1)
        return false;
    for (; digits.size - i >= 4; i += 4) {
        uint32_t a = sextet(digits.data[i]), b = sextet(digits.data[i + 1]);
        uint32_t c = sextet(digits.data[i + 2]), d = sextet(digits.data[i + 3]);

        bad |= (a | b | c | d) & 64;
        group = a << 18 | b << 12 | c << 6 | d;
        *out++ = (uint8_t)(group >> 16);
        *out++ = (uint8_t)(group >> 8);
        *out++ = (uint8_t)group;
    }
    if (i == digits.size)
        return bad == 0;
    group = 0;
    for (size_t j = i; j < digits.size; j++) {
        bad |= sextet(digits.data[j]) & 64;
        group |= sextet(digits.data[j]) << (18 - 6 * (j - i));
    }
    *out++ = (uint8_t)(group >> 16);
    if (digits.size - i == 3)
        *out++ = (uint8_t)(group >> 8);
    return bad == 0 && (digits.size - i == 3 ? group & 0xff : group & 0xffff) == 0;
}

/* --- names --------------------------------------------------------------------------------- */

struct names {
    const char *const *names;
    size_t count;
};

static const char *
name_at(const void *context, size_t index)
{
    const struct names *known = context;

    return index < known->count ? known->names[index] : NULL;
}

const char *
api_nearest_name(const char *name, const char *const *names, size_t count)
{
    const struct names known = {names, count};

    return name_nearest(bytes_of_text(name), name_at, &known);
}
