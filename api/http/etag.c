/* Entity tags (RFC 9110 section 8.8.3). Always true: a tag that is not one of ours matches nothing.
 * When a tag is compared, and what follows, is left to the reply and the request. */
#include "api/http/etag.h"

#include <string.h>

#include "api/json/chars.h"

static void
skip_blanks_and_commas(struct bytes *list)
{
    while (list->size > 0 &&
           (list->data[0] == ' ' || list->data[0] == '\t' || list->data[0] == ',')) {
        list->data++;
        list->size--;
    }
}

bool
api_etag_next(struct bytes *list, struct api_etag *out, bool *malformed)
{
    const uint8_t *end;

    *malformed = false;
    skip_blanks_and_commas(list);
    if (list->size == 0)
        return false;
    out->weak = list->size > 2 && memcmp(list->data, "W/", 2) == 0;
    if (out->weak) {
        list->data += 2;
        list->size -= 2;
    }
    end = list->data[0] == '"' ? memchr(list->data + 1, '"', list->size - 1) : NULL;
    if (end == NULL) {
        *malformed = true;
        return false;
    }
    out->tag = bytes_of(list->data, (size_t)(end - list->data) + 1);
    list->data += out->tag.size;
    list->size -= out->tag.size;
    return true;
}

bool
api_etag_is_any(struct bytes list)
{
    struct bytes trimmed = api_chars_trim(list);

    return trimmed.size == 1 && trimmed.data[0] == '*';
}

bool
api_etag_list_matches(struct bytes list, const char *tag)
{
    struct bytes ours = bytes_of_text(tag);
    struct api_etag one;
    bool malformed;

    if (api_etag_is_any(list))
        return true;
    while (api_etag_next(&list, &one, &malformed))
        if (bytes_equal(one.tag, ours))
            return true;
    return false;
}

bool
api_etag_list_names(struct bytes list, const char *tag, bool *names)
{
    struct bytes ours = bytes_of_text(tag);
    struct api_etag one;
    bool malformed = false;

    *names = api_etag_is_any(list);
    if (*names)
        return true;
    while (api_etag_next(&list, &one, &malformed))
        *names = *names || (!one.weak && bytes_equal(one.tag, ours));
    return !malformed;
}

bool
api_etag_revision(struct bytes tag, uint64_t *out)
{
    size_t end = 2;

    if (tag.size < 4 || tag.data[0] != '"' || tag.data[1] != 'r')
        return false;
    while (end < tag.size && api_is_digit(tag.data[end]))
        end++;
    if (end == tag.size || (tag.data[end] != '-' && tag.data[end] != '"'))
        return false;
    return api_chars_u64(bytes_of(tag.data + 2, end - 2), out);
}
