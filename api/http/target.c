/* Strict reading of request targets. Always true: a path that passes here has one meaning, whatever
 * stands in front of this server. Which paths exist is left to the router, which names are legal to
 * the domain. */
#include "api/http/target.h"

#include "api/json/chars.h"
#include "api/json/text.h"

enum { ESCAPE_BYTES = 3 };

/* The byte at raw[*i] with its escape undone; *i moves past it. False: a percent sign that begins
 * no escape. */
static bool
next_byte(struct bytes raw, size_t *i, uint8_t *out)
{
    int high, low;

    *out = raw.data[*i];
    if (*out != '%') {
        ++*i;
        return true;
    }
    if (raw.size - *i < ESCAPE_BYTES)
        return false;
    high = api_hex_value(raw.data[*i + 1]);
    low = api_hex_value(raw.data[*i + 2]);
    if (high < 0 || low < 0)
        return false;
    *out = (uint8_t)(high * 16 + low);
    *i += ESCAPE_BYTES;
    return true;
}

static enum err_code
bad_escape(const char *where, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the %s holds a '%%' that does not begin an escape of two hexadecimal digits",
                   where);
}

static enum err_code
check_path_byte(uint8_t byte, bool escaped, struct err *err)
{
    if (byte < 0x20 || byte == 0x7F)
        return err_set(err, ERR_INVALID_ARGUMENT, "the path holds the control character 0x%02x",
                       byte);
    if (escaped && (byte == '%' || byte == ':'))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the path holds an escaped '%c', which no name may hold", byte);
    return OK;
}

/* Segments of the decoded path: . and .. and empty ones would be bent by something on the way. */
static enum err_code
check_segment(const uint8_t *segment, size_t size, bool last, struct err *err)
{
    if (size == 0 && !last)
        return err_set(err, ERR_INVALID_ARGUMENT, "the path has an empty segment ('//')");
    if ((size == 1 && segment[0] == '.') || (size == 2 && segment[0] == '.' && segment[1] == '.'))
        return err_set(err, ERR_INVALID_ARGUMENT, "the path has a segment '.' or '..'");
    return OK;
}

enum { UTF8_BYTES_MAX = 4, SEGMENT_KEPT = 3 };

/* Walks the path once: escapes, characters, segments. UTF-8 is checked character by character. */
static enum err_code
check_path(struct bytes path, struct err *err)
{
    uint8_t segment[SEGMENT_KEPT] = {0}, character[UTF8_BYTES_MAX];
    size_t segment_size = 0, pending = 0, i = 1;

    while (i < path.size) {
        bool escaped = path.data[i] == '%';
        uint8_t byte;

        if (!next_byte(path, &i, &byte))
            return bad_escape("path", err);
        TRY(check_path_byte(byte, escaped, err));
        if (byte >= 0x80 || pending > 0) {
            character[pending++] = byte;
            if (api_utf8_character(bytes_of(character, pending)) == pending)
                pending = 0;
            else if (pending == UTF8_BYTES_MAX || byte < 0x80)
                break;
        }
        if (byte == '/') {
            TRY(check_segment(segment, segment_size, false, err));
            segment_size = 0;
        } else {
            if (segment_size < SEGMENT_KEPT)
                segment[segment_size] = byte;
            segment_size++;
        }
    }
    if (pending > 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the path is not valid UTF-8");
    return check_segment(segment, segment_size, true, err);
}

enum err_code
api_target_split(struct bytes raw, struct api_target *out, struct err *err)
{
    const uint8_t *mark;

    if (raw.size == 0 || raw.data[0] != '/')
        return err_set(err, ERR_INVALID_ARGUMENT, "the request target must begin with '/'");
    for (size_t i = 0; i < raw.size; i++)
        if (raw.data[i] <= 0x20 || raw.data[i] == 0x7F || raw.data[i] == '#')
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the request target holds the character 0x%02x: escape it", raw.data[i]);
    mark = memchr(raw.data, '?', raw.size);
    out->path = bytes_of(raw.data, mark == NULL ? raw.size : (size_t)(mark - raw.data));
    out->query = mark == NULL ? bytes_of("", 0) : bytes_of(mark + 1, raw.size - out->path.size - 1);
    return check_path(out->path, err);
}

size_t
api_target_decode(struct bytes raw, uint8_t *out)
{
    size_t size = 0;

    for (size_t i = 0; i < raw.size;)
        if (!next_byte(raw, &i, &out[size++]))
            return 0;
    return size;
}

enum err_code
api_target_decode_query(struct bytes raw, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *text = arena_alloc(arena, raw.size + 1, err);
    size_t size = 0;

    if (text == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < raw.size;) {
        bool plus = raw.data[i] == '+';

        if (!next_byte(raw, &i, &text[size]))
            return bad_escape("query string", err);
        if (plus)
            text[size] = ' ';
        /* Other control characters may be part of a tensor's name in an imported checkpoint. */
        if (text[size] == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "the query string holds a NUL");
        size++;
    }
    *out = bytes_of(text, size);
    if (!api_utf8_valid(*out))
        return err_set(err, ERR_INVALID_ARGUMENT, "the query string is not valid UTF-8");
    return OK;
}
