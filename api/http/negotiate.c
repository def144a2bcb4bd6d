/* Choosing a form. JSON goes first among equals: a client that lists everything with the same
 * weight (test tools do) wants to read the answer. */
#include "api/http/negotiate.h"

#include <stdio.h>
#include <string.h>

#include "api/json/chars.h"
#include "api/json/text.h"
#include "api/state.h"

static const struct api_choice formats_known[API_FORMAT_COUNT] = {
    [API_FORMAT_JSON] = {"json", "application/json", NULL},
    [API_FORMAT_RAW] = {"raw", "application/octet-stream", NULL},
    [API_FORMAT_NPY] = {"npy", "application/x-npy", NULL},
    [API_FORMAT_SAFETENSORS] = {"safetensors", "application/vnd.safetensors",
                                "application/octet-stream"},
    [API_FORMAT_NPZ] = {"npz", "application/x-npz", NULL},
};

enum { OFFERED_BYTES_MAX = 320 };

const char *
api_format_name(enum api_format format)
{
    return formats_known[format].name;
}

const char *
api_format_media_type(enum api_format format)
{
    return formats_known[format].media_type;
}

bool
api_format_of_name(struct bytes name, enum api_format *out)
{
    for (size_t i = 0; i < API_FORMAT_COUNT; i++) {
        if (bytes_equal(name, bytes_of_text(formats_known[i].name))) {
            *out = (enum api_format)i;
            return true;
        }
    }
    return false;
}

/* The formats of a set as choices; their places in it. */
static size_t
choices_of(unsigned formats, struct api_choice out[static API_FORMAT_COUNT],
           enum api_format which[static API_FORMAT_COUNT])
{
    size_t count = 0;

    for (size_t f = 0; f < API_FORMAT_COUNT; f++) {
        if ((formats & API_FORMATS(f)) == 0)
            continue;
        out[count] = formats_known[f];
        which[count++] = (enum api_format)f;
    }
    return count;
}

/* "json (application/json), npy (…)" */
static void
list_choices(const struct api_choice *choices, size_t count, char out[static OFFERED_BYTES_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        int length = snprintf(out + used, OFFERED_BYTES_MAX - used, "%s%s (%s)",
                              used > 0 ? ", " : "", choices[i].name, choices[i].media_type);

        if (length < 0 || (size_t)length >= OFFERED_BYTES_MAX - used)
            return;
        used += (size_t)length;
    }
}

/* "type/subtype;q=0.5" -> the type without parameters, and its weight in thousandths. */
static struct bytes
read_media_range(struct bytes item, unsigned *weight)
{
    struct bytes type, parameter;

    *weight = 1000;
    if (!api_chars_next(&item, ';', &type))
        return bytes_of("", 0);
    while (api_chars_next(&item, ';', &parameter)) {
        parameter = api_chars_trim(parameter);
        if (parameter.size < 3 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=')
            continue;
        *weight = parameter.data[2] == '1' ? 1000 : 0;
        for (size_t i = 4, unit = 100; i < parameter.size && unit > 0; i++, unit /= 10)
            if (*weight < 1000 && api_is_digit(parameter.data[i]))
                *weight += (unsigned)((size_t)(parameter.data[i] - '0') * unit);
    }
    return api_chars_trim(type);
}

/* Its main type and any subtype. */
static bool
is_main_type(struct bytes type, const char *media_type)
{
    size_t main_size = strcspn(media_type, "/");

    if (type.size != main_size + 2 || memcmp(type.data + main_size, "/*", 2) != 0)
        return false;
    for (size_t i = 0; i < main_size; i++)
        if ((type.data[i] | 0x20) != media_type[i])
            return false;
    return true;
}

/* How exactly a media range names a choice: 3 itself, 2 its main type, 1 anything, 0 not at all. */
static unsigned
match_quality(struct bytes type, const struct api_choice *choice)
{
    if (api_chars_equal(type, choice->media_type) ||
        (choice->also != NULL && api_chars_equal(type, choice->also)))
        return 3;
    if (is_main_type(type, choice->media_type))
        return 2;
    return api_chars_equal(type, "*/*") ? 1 : 0;
}

/* The weight that `accept` gives a choice, by the range that names it most exactly. */
static unsigned
weigh(struct bytes accept, const struct api_choice *choice)
{
    unsigned quality = 0, weight = 0;
    struct bytes item;

    while (api_chars_next(&accept, ',', &item)) {
        unsigned w = 0, q;
        struct bytes type = read_media_range(item, &w);

        q = match_quality(type, choice);
        if (q > quality) {
            quality = q;
            weight = w;
        }
    }
    return weight;
}

static enum err_code
accept_choice(struct bytes accept, const struct api_choice *choices, size_t count, size_t *out,
              struct err *err)
{
    unsigned best = 0;
    char offered[OFFERED_BYTES_MAX];

    if (accept.data == NULL || api_chars_trim(accept).size == 0)
        accept = bytes_of_text("*/*");
    for (size_t i = 0; i < count; i++) {
        unsigned weight = weigh(accept, &choices[i]);

        if (weight > best) {
            best = weight;
            *out = i;
        }
    }
    if (best > 0)
        return OK;
    list_choices(choices, count, offered);
    return err_set(err, ERR_NOT_ACCEPTABLE, "this is to be had as %s", offered);
}

enum err_code
api_negotiate_accept(struct bytes accept, unsigned formats, enum api_format *out, struct err *err)
{
    struct api_choice choices[API_FORMAT_COUNT];
    enum api_format which[API_FORMAT_COUNT];
    size_t index = 0, count = choices_of(formats, choices, which);

    TRY(accept_choice(accept, choices, count, &index, err));
    *out = which[index];
    return OK;
}

enum err_code
api_negotiate_choice(struct api_request *rq, struct api_reply *rp, const struct api_choice *choices,
                     size_t count, size_t *out, struct err *err)
{
    struct bytes wanted = api_request_query(rq, "format");
    char offered[OFFERED_BYTES_MAX], shown[API_SHOWN_BYTES_MAX + 1];

    api_reply_vary(rp, "Accept");
    if (wanted.data == NULL)
        return accept_choice(api_request_header(rq, "Accept"), choices, count, out, err);
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(wanted, bytes_of_text(choices[i].name))) {
            *out = i;
            return OK;
        }
    }
    list_choices(choices, count, offered);
    return err_set(err, ERR_NOT_ACCEPTABLE, "format '%s' is not offered here, only %s",
                   api_text_shown(wanted, shown), offered);
}

enum err_code
api_negotiate_reply(struct api_request *rq, struct api_reply *rp, unsigned formats,
                    enum api_format *out, struct err *err)
{
    struct api_choice choices[API_FORMAT_COUNT];
    enum api_format which[API_FORMAT_COUNT];
    size_t index = 0, count = choices_of(formats, choices, which);

    TRY(api_negotiate_choice(rq, rp, choices, count, &index, err));
    *out = which[index];
    return OK;
}

/* What Accept-Encoding says of a coding: its own weight, or that of any other. */
struct coding_weight {
    unsigned weight;
    bool named;
};

static void
take_coding(struct coding_weight *coding, bool is_it, unsigned weight)
{
    if (is_it)
        *coding = (struct coding_weight){.weight = weight, .named = true};
}

bool
api_negotiate_prefers_gzip(const struct api_head *head)
{
    struct coding_weight gzip = {0}, plain = {0}, any = {0};

    for (size_t i = 0; i < head->count; i++) {
        struct bytes list = head->fields[i].value, item;

        while (api_chars_equal(head->fields[i].name, "Accept-Encoding") &&
               api_chars_next(&list, ',', &item)) {
            unsigned weight;
            struct bytes name = read_media_range(item, &weight);

            take_coding(&gzip, api_chars_equal(name, "gzip") || api_chars_equal(name, "x-gzip"),
                        weight);
            take_coding(&plain, api_chars_equal(name, "identity"), weight);
            take_coding(&any, api_chars_equal(name, "*"), weight);
        }
    }
    gzip = gzip.named ? gzip : any;
    plain = plain.named ? plain : any;
    return gzip.weight > 0 && gzip.weight >= plain.weight;
}

bool
api_negotiate_gzip(struct api_request *rq, struct api_reply *rp)
{
    api_reply_vary(rp, "Accept-Encoding");
    return api_negotiate_prefers_gzip(&rq->head);
}

enum err_code
api_negotiate_body(struct api_request *rq, unsigned formats, enum api_format *out, struct err *err)
{
    struct bytes header = api_request_header(rq, "Content-Type"), type;
    struct api_choice choices[API_FORMAT_COUNT];
    enum api_format which[API_FORMAT_COUNT];
    char offered[OFFERED_BYTES_MAX], shown[API_SHOWN_BYTES_MAX + 1];

    *out = API_FORMAT_UNKNOWN;
    if (header.data == NULL || !api_chars_next(&header, ';', &type))
        return OK;
    type = api_chars_trim(type);
    if (api_chars_equal(type, "application/x-www-form-urlencoded"))
        return OK;
    if (api_chars_equal(type, "application/octet-stream") &&
        (formats & API_FORMATS(API_FORMAT_RAW)) == 0)
        return OK;
    for (size_t f = 0; f < API_FORMAT_COUNT; f++) {
        if ((formats & API_FORMATS(f)) != 0 && api_chars_equal(type, formats_known[f].media_type)) {
            *out = (enum api_format)f;
            return OK;
        }
    }
    list_choices(choices, choices_of(formats, choices, which), offered);
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "a body of type '%s' is not taken here, only %s", api_text_shown(type, shown),
                   offered);
}

enum err_code
api_negotiate_word(struct api_request *rq, struct api_object *body, const char *name,
                   struct bytes *out, struct err *err)
{
    const char *text = NULL;
    bool present = false;

    *out = body == NULL ? api_request_query(rq, name) : bytes_of(NULL, 0);
    if (body == NULL)
        return OK;
    TRY(api_object_text(body, name, api_request_arena(rq), &text, &present, err));
    if (present)
        *out = bytes_of_text(text);
    return OK;
}

enum err_code
api_negotiate_either(struct api_request *rq, struct api_object *body, const char *name,
                     const char *first, const char *second, bool *is_second, struct err *err)
{
    struct bytes value;
    char shown[API_SHOWN_BYTES_MAX + 1];

    TRY(api_negotiate_word(rq, body, name, &value, err));
    *is_second = value.data != NULL && bytes_equal(value, bytes_of_text(second));
    if (value.data == NULL || *is_second || bytes_equal(value, bytes_of_text(first)))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' must be %s or %s, not '%s'",
                   body == NULL ? "query argument" : "field", name, first, second,
                   api_text_shown(value, shown));
}

enum err_code
api_negotiate_npy_v2(struct api_request *rq, struct api_object *body, enum api_npy_v2 *out,
                     struct err *err)
{
    struct bytes value;
    char shown[API_SHOWN_BYTES_MAX + 1];

    TRY(api_negotiate_word(rq, body, "npy_v2", &value, err));
    *out = value.data == NULL ? API_NPY_V2_UNKNOWN : API_NPY_V2_BFLOAT16;
    if (value.data == NULL || bytes_equal(value, bytes_of_text("bfloat16")))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s 'npy_v2' can only be bfloat16, not '%s'",
                   body == NULL ? "query argument" : "field", api_text_shown(value, shown));
}

enum err_code
api_negotiate_conversion(struct api_request *rq, enum dtype *out, struct err *err)
{
    struct bytes name = api_request_query(rq, "dtype");
    char shown[API_SHOWN_BYTES_MAX + 1];
    enum api_npy_v2 npy_v2;

    *out = DTYPE_UNSET;
    TRY(api_negotiate_npy_v2(rq, NULL, &npy_v2, err));
    if (name.data == NULL || dtype_of_name(name, out))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "query argument 'dtype': there is no dtype '%s'",
                   api_text_shown(name, shown));
}
