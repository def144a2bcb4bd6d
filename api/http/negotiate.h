/* Which form tensors travel in: ?format= before Accept for replies, Content-Type for bodies. */
#ifndef API_HTTP_NEGOTIATE_H
#define API_HTTP_NEGOTIATE_H

#include "api/http/head.h"
#include "api/request.h"
#include "api/wire/npy.h"

enum api_format {
    API_FORMAT_JSON,
    API_FORMAT_RAW,
    API_FORMAT_NPY,
    API_FORMAT_SAFETENSORS,
    API_FORMAT_NPZ,
    API_FORMAT_COUNT,
    API_FORMAT_UNKNOWN = API_FORMAT_COUNT /* a body that does not say: look at its bytes */
};
#define API_FORMATS(format) (1U << (format))

const char *api_format_name(enum api_format format); /* "json", "raw", "npy" … */
const char *api_format_media_type(enum api_format format);
bool api_format_of_name(struct bytes name, enum api_format *out);

/* The form of the reply, among `formats` (a set of API_FORMATS). ?format= wins (when the route
 * lists it), then Accept with its weights; among equals, and for any type, the first of json, raw,
 * npy, safetensors, npz. application/octet-stream means safetensors where raw is not on offer. Adds
 * Vary: Accept. ERR_NOT_ACCEPTABLE lists what there is. */
ERR_MUST_CHECK enum err_code api_negotiate_reply(struct api_request *rq, struct api_reply *rp,
                                                 unsigned formats, enum api_format *out,
                                                 struct err *err);
/* Whether the reply is rather to come packed by gzip; sets Vary. */
bool api_negotiate_gzip(struct api_request *rq, struct api_reply *rp);
/* The same among any choices: *out is an index. `also`: another media type that means it when no
 * choice before it has that; NULL: none. */
struct api_choice {
    const char *name, *media_type, *also;
};
ERR_MUST_CHECK enum err_code api_negotiate_choice(struct api_request *rq, struct api_reply *rp,
                                                  const struct api_choice *choices, size_t count,
                                                  size_t *out, struct err *err);
/* The form of the body by its Content-Type; API_FORMAT_UNKNOWN when there is none or curl's default
 * form type. application/octet-stream is raw, or unknown where raw is not on offer.
 * ERR_UNSUPPORTED_MEDIA_TYPE lists what there is. */
ERR_MUST_CHECK enum err_code api_negotiate_body(struct api_request *rq, unsigned formats,
                                                enum api_format *out, struct err *err);

/* What a client wants, in one word: argument `name` of the query, or field `name` of the JSON
 * object that is sent in its place (`body`; NULL: the query). data NULL when absent; borrows from
 * rq. */
ERR_MUST_CHECK enum err_code api_negotiate_word(struct api_request *rq, struct api_object *body,
                                                const char *name, struct bytes *out,
                                                struct err *err);
/* One of two words: whether it is the second. The first when it is absent. */
ERR_MUST_CHECK enum err_code api_negotiate_either(struct api_request *rq, struct api_object *body,
                                                  const char *name, const char *first,
                                                  const char *second, bool *is_second,
                                                  struct err *err);
/* npy_v2=bfloat16, on routes that list it. */
ERR_MUST_CHECK enum err_code api_negotiate_npy_v2(struct api_request *rq, struct api_object *body,
                                                  enum api_npy_v2 *out, struct err *err);
/* dtype=, which a value is to be converted to, or DTYPE_UNSET. What npy_v2 says matters to npy
 * alone; that it can be read, to every form. */
ERR_MUST_CHECK enum err_code api_negotiate_conversion(struct api_request *rq, enum dtype *out,
                                                      struct err *err);

/* The pure parts: of Accept-Encoding (RFC 9110, 12.5.3; all fields of that name are one list)
 * whether gzip is taken, and no less gladly than the plain form, which weighs nothing where neither
 * it nor `*` is named; and of Accept. */
bool api_negotiate_prefers_gzip(const struct api_head *head);
ERR_MUST_CHECK enum err_code api_negotiate_accept(struct bytes accept, unsigned formats,
                                                  enum api_format *out, struct err *err);

#endif
