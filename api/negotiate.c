/* Choosing a form. JSON goes first among equals: a client that lists everything with the same
 * weight (test tools do) wants to read the answer. */
#include "api/negotiate.h"

#include <stdio.h>
#include <string.h>

#include "api/chars.h"
#include "api/state.h"

static const struct {
    const char *name, *media_type;
} formats_known[API_FORMAT_COUNT] = {
    [API_FORMAT_JSON] = {"json", "application/json"},
    [API_FORMAT_RAW] = {"raw", "application/octet-stream"},
    [API_FORMAT_NPY] = {"npy", "application/x-npy"},
    [API_FORMAT_SAFETENSORS] = {"safetensors", "application/vnd.safetensors"},
    [API_FORMAT_NPZ] = {"npz", "application/x-npz"},
};

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

/* "json (application/json), npy (…)" */
static void
list_formats(unsigned formats, char *out, size_t out_size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < API_FORMAT_COUNT; i++) {
        int length;

        if ((formats & API_FORMATS(i)) == 0)
            continue;
        length = snprintf(out + used, out_size - used, "%s%s (%s)", used > 0 ? ", " : "",
                          formats_known[i].name, formats_known[i].media_type);
        if (length < 0 || (size_t)length >= out_size - used)
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

/* How exactly a media range names a format: 3 itself, 2 its main type, 1 anything, 0 not at all. */
static unsigned
match_quality(struct bytes type, enum api_format format, unsigned formats)
{
    if (api_chars_equal(type, formats_known[format].media_type))
        return 3;
    if (format == API_FORMAT_SAFETENSORS && (formats & API_FORMATS(API_FORMAT_RAW)) == 0 &&
        api_chars_equal(type, "application/octet-stream"))
        return 3;
    if (api_chars_equal(type, "application/*"))
        return 2;
    return api_chars_equal(type, "*/*") ? 1 : 0;
}

enum err_code
api_negotiate_accept(struct bytes accept, unsigned formats, enum api_format *out, struct err *err)
{
    unsigned best = 0;
    char offered[256];

    if (accept.data == NULL || api_chars_trim(accept).size == 0)
        accept = bytes_of_text("*/*");
    for (size_t f = 0; f < API_FORMAT_COUNT; f++) {
        struct bytes rest = accept, item;
        unsigned quality = 0, weight = 0;

        if ((formats & API_FORMATS(f)) == 0)
            continue;
        while (api_chars_next(&rest, ',', &item)) {
            unsigned w, q;
            struct bytes type = read_media_range(item, &w);

            q = match_quality(type, (enum api_format)f, formats);
            if (q > quality) {
                quality = q;
                weight = w;
            }
        }
        if (quality > 0 && weight > best) {
            best = weight;
            *out = (enum api_format)f;
        }
    }
    if (best > 0)
        return OK;
    list_formats(formats, offered, sizeof offered);
    return err_set(err, ERR_NOT_ACCEPTABLE, "this is to be had as %s", offered);
}

enum err_code
api_negotiate_reply(struct api_request *rq, struct api_reply *rp, unsigned formats,
                    enum api_format *out, struct err *err)
{
    struct bytes wanted = api_request_query(rq, "format");
    char offered[256];

    api_reply_vary(rp, "Accept");
    if (wanted.data == NULL)
        return api_negotiate_accept(api_request_header(rq, "Accept"), formats, out, err);
    if (api_format_of_name(wanted, out) && (formats & API_FORMATS(*out)) != 0)
        return OK;
    list_formats(formats, offered, sizeof offered);
    return err_set(err, ERR_NOT_ACCEPTABLE, "format '%.*s' is not offered here, only %s",
                   (int)(wanted.size < 64 ? wanted.size : 64), (const char *)wanted.data, offered);
}

enum err_code
api_negotiate_body(struct api_request *rq, unsigned formats, enum api_format *out, struct err *err)
{
    struct bytes header = api_request_header(rq, "Content-Type"), type;
    char offered[256];

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
    list_formats(formats, offered, sizeof offered);
    return err_set(err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   "a body of type '%.*s' is not taken here, only %s",
                   (int)(type.size < 64 ? type.size : 64), (const char *)type.data, offered);
}
