/* The heads of multipart/form-data: the boundary in the request's Content-Type, and the header
 * lines of a part. Always true: every byte of what passes was looked at; headers that RFC 7578
 * section 4.8 says to ignore are ignored, but must be headers. */
#include "api/http/multipart.h"

#include <stdio.h>

#include "api/json/chars.h"
#include "api/json/text.h"

enum { VALUE_BYTES_MAX = 1024, WHERE_BYTES_MAX = 64, SHOWN_BYTES_MAX = 64 };

static int
shown(struct bytes text)
{
    return (int)(text.size < SHOWN_BYTES_MAX ? text.size : SHOWN_BYTES_MAX);
}

static void
skip(struct bytes *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

static void
skip_blanks(struct bytes *rest)
{
    while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t'))
        skip(rest, 1);
}

/* --- parameters: `; name=value; name="value"` ---------------------------------------------- */

struct parameter {
    struct bytes name;
    uint8_t value[VALUE_BYTES_MAX]; /* without quotes and backslashes */
    size_t size;
    bool quoted;
};

static enum err_code
put_character(struct parameter *p, uint8_t c, const char *where, struct err *err)
{
    if (p->size == sizeof p->value)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: the value of '%.*s' has more than %zu bytes",
                       where, shown(p->name), (const char *)p->name.data, sizeof p->value);
    p->value[p->size++] = c;
    return OK;
}

/* quoted-string of RFC 9110 section 5.6.4; *rest begins with its quote. */
static enum err_code
take_quoted(struct bytes *rest, struct parameter *p, const char *where, struct err *err)
{
    skip(rest, 1);
    while (rest->size > 0 && rest->data[0] != '"') {
        if (rest->data[0] == '\\' && rest->size > 1)
            skip(rest, 1);
        if ((rest->data[0] < 0x20 && rest->data[0] != '\t') || rest->data[0] == 0x7F)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: the value of '%.*s' holds the control character 0x%02x", where,
                           shown(p->name), (const char *)p->name.data, rest->data[0]);
        TRY(put_character(p, rest->data[0], where, err));
        skip(rest, 1);
    }
    if (rest->size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: the value of '%.*s' has no closing quote",
                       where, shown(p->name), (const char *)p->name.data);
    skip(rest, 1);
    return OK;
}

static enum err_code
take_token(struct bytes *rest, struct parameter *p, const char *where, struct err *err)
{
    while (rest->size > 0 && api_chars_is_token(bytes_of(rest->data, 1))) {
        TRY(put_character(p, rest->data[0], where, err));
        skip(rest, 1);
    }
    if (p->size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: '%.*s' has no value: it must be a token, or a text in quotes", where,
                       shown(p->name), (const char *)p->name.data);
    return OK;
}

/* *present false: nothing is left. */
static enum err_code
next_parameter(struct bytes *rest, const char *where, struct parameter *out, bool *present,
               struct err *err)
{
    size_t size = 0;

    skip_blanks(rest);
    *present = rest->size > 0;
    if (!*present)
        return OK;
    if (rest->data[0] != ';')
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: '%.*s' where a semicolon must be", where,
                       shown(*rest), (const char *)rest->data);
    skip(rest, 1);
    skip_blanks(rest);
    while (size < rest->size && api_chars_is_token(bytes_of(rest->data + size, 1)))
        size++;
    if (size == 0 || size == rest->size || rest->data[size] != '=')
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: '%.*s' is no parameter: it must be name=value", where, shown(*rest),
                       (const char *)rest->data);
    out->name = bytes_of(rest->data, size);
    out->size = 0;
    skip(rest, size + 1);
    out->quoted = rest->size > 0 && rest->data[0] == '"';
    return out->quoted ? take_quoted(rest, out, where, err) : take_token(rest, out, where, err);
}

/* What stands before the first semicolon; *header is left at it. */
static struct bytes
take_type(struct bytes *header)
{
    const uint8_t *end = header->size == 0 ? NULL : memchr(header->data, ';', header->size);
    size_t size = end == NULL ? header->size : (size_t)(end - header->data);
    struct bytes type = api_chars_trim(bytes_of(header->data, size));

    skip(header, size);
    return type;
}

/* --- the boundary -------------------------------------------------------------------------- */

bool
api_multipart_is_type(struct bytes content_type)
{
    return api_chars_equal(take_type(&content_type), "multipart/form-data");
}

/* bchars of RFC 2046; a space may not be the last. */
static bool
may_be_in_boundary(uint8_t c)
{
    return api_is_alnum(c) || (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static enum err_code
check_boundary(const struct parameter *p, struct err *err)
{
    if (p->size == 0 || p->size > API_MULTIPART_BOUNDARY_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Content-Type: a boundary has 1 to %d characters, this has %zu",
                       API_MULTIPART_BOUNDARY_BYTES_MAX, p->size);
    for (size_t i = 0; i < p->size; i++)
        if (!may_be_in_boundary(p->value[i]))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "Content-Type: the boundary holds the character 0x%02x, which none may",
                           p->value[i]);
    if (p->value[p->size - 1] == ' ')
        return err_set(err, ERR_INVALID_ARGUMENT, "Content-Type: the boundary ends with a space");
    return OK;
}

enum err_code
api_multipart_boundary(struct bytes content_type,
                       char out[static API_MULTIPART_BOUNDARY_BYTES_MAX + 1], struct err *err)
{
    struct parameter parameter;
    bool present = true, found = false;

    if (!api_chars_equal(take_type(&content_type), "multipart/form-data"))
        return err_set(err, ERR_INVALID_ARGUMENT, "Content-Type is not multipart/form-data");
    for (;;) {
        TRY(next_parameter(&content_type, "Content-Type", &parameter, &present, err));
        if (!present)
            break;
        if (!api_chars_equal(parameter.name, "boundary"))
            continue;
        if (found)
            return err_set(err, ERR_INVALID_ARGUMENT, "Content-Type: two boundaries are given");
        TRY(check_boundary(&parameter, err));
        memcpy(out, parameter.value, parameter.size);
        out[parameter.size] = '\0';
        found = true;
    }
    if (!found)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Content-Type: multipart/form-data needs a boundary");
    return OK;
}

/* --- the headers of a part ----------------------------------------------------------------- */

struct part_head {
    struct api_multipart_part *out;
    unsigned number;
    bool has_disposition, has_type, has_encoding, has_name;
};

static enum err_code
once(bool *seen, const char *where, struct err *err)
{
    if (*seen)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s is there twice", where);
    *seen = true;
    return OK;
}

static enum err_code
take_name(struct part_head *head, const struct parameter *p, const char *where, struct err *err)
{
    struct bytes name = bytes_of(p->value, p->size);

    if (head->has_name)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: two names are given", where);
    if (name.size == 0 || name.size > API_MULTIPART_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: a name has 1 to %d bytes, this has %zu",
                       where, API_MULTIPART_NAME_BYTES_MAX, name.size);
    if (memchr(name.data, '\t', name.size) != NULL || !api_utf8_valid(name))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: the name is not UTF-8 without tabs", where);
    memcpy(head->out->name, name.data, name.size);
    head->out->name[name.size] = '\0';
    head->has_name = true;
    return OK;
}

/* `form-data; name="request"`. A filename says nothing here. `name*` would be a second way to say
 * the name, which RFC 7578 section 4.2 forbids. */
static enum err_code
take_disposition(struct part_head *head, struct bytes value, const char *where, struct err *err)
{
    struct bytes type = take_type(&value);
    struct parameter parameter;
    bool present = true;

    TRY(once(&head->has_disposition, where, err));
    if (!api_chars_equal(type, "form-data"))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s must be form-data, it is '%.*s'", where,
                       shown(type), (const char *)type.data);
    for (;;) {
        TRY(next_parameter(&value, where, &parameter, &present, err));
        if (!present)
            break;
        if (api_chars_equal(parameter.name, "name*"))
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: name* is not allowed in form-data",
                           where);
        if (api_chars_equal(parameter.name, "name"))
            TRY(take_name(head, &parameter, where, err));
    }
    if (!head->has_name)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has no name", where);
    return OK;
}

static enum err_code
take_media_type(struct part_head *head, struct bytes value, const char *where, struct err *err)
{
    struct bytes type = take_type(&value);
    const uint8_t *slash = type.size == 0 ? NULL : memchr(type.data, '/', type.size);
    size_t main_size = slash == NULL ? 0 : (size_t)(slash - type.data);
    struct parameter parameter;
    bool present = true;

    TRY(once(&head->has_type, where, err));
    if (slash == NULL || type.size > API_MULTIPART_TYPE_BYTES_MAX ||
        !api_chars_is_token(bytes_of(type.data, main_size)) ||
        !api_chars_is_token(bytes_of(slash + 1, type.size - main_size - 1)))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s '%.*s' must be type/subtype", where,
                       shown(type), (const char *)type.data);
    while (present)
        TRY(next_parameter(&value, where, &parameter, &present, err));
    memcpy(head->out->media_type, type.data, type.size);
    head->out->media_type[type.size] = '\0';
    return OK;
}

/* HTTP carries any byte: what is encoded was meant for mail. */
static enum err_code
take_encoding(struct part_head *head, struct bytes value, const char *where, struct err *err)
{
    TRY(once(&head->has_encoding, where, err));
    if (api_chars_equal(value, "binary") || api_chars_equal(value, "8bit") ||
        api_chars_equal(value, "7bit"))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%.*s' is not taken: send the bytes as they are",
                   where, shown(value), (const char *)value.data);
}

static enum err_code
take_header(struct part_head *head, struct bytes line, struct err *err)
{
    const uint8_t *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    char where[WHERE_BYTES_MAX];
    struct bytes name, value;

    if (colon == NULL || !api_chars_is_token(bytes_of(line.data, (size_t)(colon - line.data))))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "part %u of the body: '%.*s' is no header: it must be `Name: value` on one "
                       "line",
                       head->number, shown(line), (const char *)line.data);
    name = bytes_of(line.data, (size_t)(colon - line.data));
    value = api_chars_trim(bytes_of(colon + 1, line.size - name.size - 1));
    snprintf(where, sizeof where, "part %u of the body: %.*s", head->number, shown(name),
             (const char *)name.data);
    for (size_t i = 0; i < value.size; i++)
        if ((value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7F)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s holds the control character 0x%02x",
                           where, value.data[i]);
    if (api_chars_equal(name, "Content-Disposition"))
        return take_disposition(head, value, where, err);
    if (api_chars_equal(name, "Content-Type"))
        return take_media_type(head, value, where, err);
    if (api_chars_equal(name, "Content-Transfer-Encoding"))
        return take_encoding(head, value, where, err);
    return OK;
}

enum err_code
api_multipart_headers(struct bytes block, unsigned number, struct api_multipart_part *out,
                      struct err *err)
{
    struct part_head head = {.out = out, .number = number};

    *out = (struct api_multipart_part){.name = ""};
    while (block.size > 0) {
        const uint8_t *end = memmem(block.data, block.size, "\r\n", 2);
        struct bytes line =
            bytes_of(block.data, end == NULL ? block.size : (size_t)(end - block.data));

        TRY(take_header(&head, line, err));
        skip(&block, end == NULL ? line.size : line.size + 2);
    }
    if (!head.has_disposition)
        return err_set(err, ERR_INVALID_ARGUMENT, "part %u of the body has no Content-Disposition",
                       number);
    return OK;
}
