/* Query arguments. Always true: a handler sees only names its route lists, each once, decoded. */
#include <inttypes.h>
#include <stdio.h>

#include "api/http/target.h"
#include "api/json/chars.h"
#include "api/json/text.h"
#include "api/state.h"

enum { ARGUMENTS_MAX = 32, WORDS_BYTES_MAX = 128 };

static bool
is_listed(const char *list, struct bytes name)
{
    struct bytes rest = bytes_of_text(list), one;

    while (api_chars_next(&rest, '|', &one))
        if (bytes_equal(one, name))
            return true;
    return false;
}

static enum err_code
refuse_name(const char *list, struct bytes name, struct err *err)
{
    char known[512], shown[API_SHOWN_BYTES_MAX + 1];
    size_t i = 0;

    for (; list[i] != '\0' && i < sizeof known - 1; i++)
        known[i] = list[i] == '|' ? ' ' : list[i];
    known[i] = '\0';
    return err_set(err, ERR_INVALID_ARGUMENT, "unknown query argument '%s'; %s%s",
                   api_text_shown(name, shown), i > 0 ? "known here: " : "none are taken here",
                   known);
}

static struct bytes
find(const struct api_request *rq, struct bytes name)
{
    for (size_t i = 0; i < rq->argument_count; i++)
        if (bytes_equal(rq->arguments[i].name, name))
            return rq->arguments[i].value;
    return bytes_of(NULL, 0);
}

static enum err_code
add_argument(struct api_request *rq, struct bytes pair, struct err *err)
{
    const uint8_t *sign = memchr(pair.data, '=', pair.size);
    size_t name_size = sign == NULL ? pair.size : (size_t)(sign - pair.data);
    struct bytes name, value = bytes_of("", 0);
    char shown[API_SHOWN_BYTES_MAX + 1];

    TRY(api_target_decode_query(bytes_of(pair.data, name_size), &rq->arena, &name, err));
    if (sign != NULL)
        TRY(api_target_decode_query(bytes_of(sign + 1, pair.size - name_size - 1), &rq->arena,
                                    &value, err));
    if (!is_listed(rq->match.route->query, name))
        return refuse_name(rq->match.route->query, name, err);
    if (find(rq, name).data != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is there twice",
                       api_text_shown(name, shown));
    if (rq->argument_count == ARGUMENTS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "more than %d query arguments", ARGUMENTS_MAX);
    rq->arguments[rq->argument_count++] = (struct api_argument){name, value};
    return OK;
}

enum err_code
api_query_parse(struct api_request *rq, struct bytes raw, struct err *err)
{
    struct bytes rest = raw, pair;

    rq->query_text = raw;
    if (raw.size == 0)
        return OK;
    rq->arguments = arena_array(&rq->arena, ARGUMENTS_MAX, sizeof *rq->arguments, err);
    if (rq->arguments == NULL)
        return ERR_NO_MEMORY;
    while (api_chars_next(&rest, '&', &pair))
        if (pair.size > 0)
            TRY(add_argument(rq, pair, err));
    return OK;
}

struct bytes
api_request_query(const struct api_request *rq, const char *name)
{
    return find(rq, bytes_of_text(name));
}

struct bytes
api_request_query_text(const struct api_request *rq)
{
    return rq->query_text;
}

enum err_code
api_request_query_bool(const struct api_request *rq, const char *name, bool fallback, bool *out,
                       struct err *err)
{
    struct bytes value = api_request_query(rq, name);
    char shown[API_SHOWN_BYTES_MAX + 1];

    *out = fallback;
    if (value.data == NULL)
        return OK;
    *out = value.size == 0 || bytes_equal(value, bytes_of_text("true")) ||
           bytes_equal(value, bytes_of_text("1"));
    if (*out || bytes_equal(value, bytes_of_text("false")) ||
        bytes_equal(value, bytes_of_text("0")))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is true or false, not '%s'",
                   name, api_text_shown(value, shown));
}

enum err_code
api_request_query_u64(const struct api_request *rq, const char *name, uint64_t fallback,
                      uint64_t *out, struct err *err)
{
    struct bytes value = api_request_query(rq, name);
    char shown[API_SHOWN_BYTES_MAX + 1];

    *out = fallback;
    if (value.data == NULL || api_chars_u64(value, out))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is a whole number, not '%s'",
                   name, api_text_shown(value, shown));
}

enum err_code
api_request_query_count(const struct api_request *rq, const char *name, uint64_t fallback,
                        uint64_t most, uint64_t *out, struct err *err)
{
    TRY(api_request_query_u64(rq, name, fallback, out, err));
    if (api_request_query(rq, name).data == NULL || (*out >= 1 && *out <= most))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "query argument '%s' is 1 to %" PRIu64 ", not %" PRIu64, name, most, *out);
}

/* "a, b or c" */
static void
list_words(const char *const *names, unsigned count, char *out, size_t size)
{
    size_t used = 0;

    for (unsigned i = 0; i < count && used < size; i++) {
        const char *separator = i == 0 ? "" : i + 1 < count ? ", " : " or ";

        used += (size_t)snprintf(out + used, size - used, "%s%s", separator, names[i]);
    }
}

enum err_code
api_request_query_word(const struct api_request *rq, const char *name, const char *const *names,
                       unsigned count, unsigned fallback, unsigned *out, struct err *err)
{
    struct bytes value = api_request_query(rq, name);
    char shown[API_SHOWN_BYTES_MAX + 1], words[WORDS_BYTES_MAX] = "";

    *out = fallback;
    if (value.data == NULL)
        return OK;
    for (*out = 0; *out < count; *out += 1)
        if (bytes_equal(value, bytes_of_text(names[*out])))
            return OK;
    list_words(names, count, words, sizeof words);
    return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is %s, not '%s'", name, words,
                   api_text_shown(value, shown));
}

enum err_code
api_request_query_copy(struct api_request *rq, const char *name, const char **out, struct err *err)
{
    struct bytes value = api_request_query(rq, name);

    *out = NULL;
    if (value.data == NULL)
        return OK;
    *out = arena_text(api_request_arena(rq), value, err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}
