/* Reading the fields of a request's head. Always true: a head that passes here means the same to
 * every reader, because each byte of it was looked at and nothing was guessed. Which fields are
 * allowed together is left to api/guard/gate.c. */
#include "api/http/head.h"

#include <string.h>

#include "api/json/chars.h"

enum { NAME_SHOWN_MAX = 64 };

static struct bytes
until_nul(struct bytes rest)
{
    const uint8_t *nul = rest.size == 0 ? NULL : memchr(rest.data, '\0', rest.size);

    return bytes_of(rest.data, nul == NULL ? rest.size : (size_t)(nul - rest.data));
}

static void
skip(struct bytes *rest, size_t size)
{
    rest->data += size;
    rest->size -= size;
}

/* A line ends where CR LF stood. */
static bool
skip_line_end(struct bytes *rest)
{
    if (rest->size < 2 || rest->data[0] != '\0' || rest->data[1] != '\0')
        return false;
    skip(rest, 2);
    return true;
}

static enum err_code
bad_line(size_t index, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "header line %zu of the request is malformed: it must be `Name: value`, on one "
                   "line, without NUL, ended by CR LF",
                   index + 1);
}

enum err_code
api_head_split(struct bytes block, struct api_header *fields, size_t fields_max, size_t *count,
               struct err *err)
{
    struct bytes rest = block;

    *count = 0;
    while (!(rest.size == 2 && rest.data[0] == '\0' && rest.data[1] == '\0')) {
        struct bytes name = until_nul(rest), value;

        if (*count == fields_max)
            return err_set(err, ERR_INVALID_ARGUMENT, "more than %zu header fields in the request",
                           fields_max);
        if (!api_chars_is_token(name) || name.size == rest.size)
            return bad_line(*count, err);
        skip(&rest, name.size + 1);
        value = until_nul(rest);
        skip(&rest, value.size);
        if (!skip_line_end(&rest))
            return bad_line(*count, err);
        fields[*count] = (struct api_header){name, api_chars_trim(value)};
        ++*count;
    }
    return OK;
}

enum err_code
api_head_check_fields(const struct api_head *head, struct err *err)
{
    for (size_t i = 0; i < head->count; i++) {
        struct bytes name = head->fields[i].name, value = head->fields[i].value;

        if (!api_chars_is_token(name))
            return bad_line(i, err);
        for (size_t k = 0; k < value.size; k++)
            if ((value.data[k] < 0x20 && value.data[k] != '\t') || value.data[k] == 0x7F)
                return err_set(err, ERR_INVALID_ARGUMENT,
                               "header '%.*s' holds the control character 0x%02x",
                               (int)(name.size < NAME_SHOWN_MAX ? name.size : NAME_SHOWN_MAX),
                               (const char *)name.data, value.data[k]);
    }
    return OK;
}

struct bytes
api_head_value(const struct api_head *head, const char *name)
{
    for (size_t i = 0; i < head->count; i++)
        if (api_chars_equal(head->fields[i].name, name))
            return head->fields[i].value;
    return bytes_of(NULL, 0);
}

size_t
api_head_count(const struct api_head *head, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < head->count; i++)
        count += api_chars_equal(head->fields[i].name, name);
    return count;
}
