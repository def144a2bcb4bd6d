/* A set of tensors that goes out in one of the formats of api/wire/list.def: as a reply whose bytes
 * are lent from where they lie. */
#ifndef API_TENSORS_EXPORT_H
#define API_TENSORS_EXPORT_H

#include "api/reply.h"
#include "api/wire/format.h"

/* What several files are sent in: tar, unless the client says. */
enum api_container { API_CONTAINER_UNSAID, API_CONTAINER_TAR, API_CONTAINER_ZIP };

/* How a client wants it. */
struct api_export_options {
    const struct api_wire_format *format;
    enum api_wire_compression compression;
    enum api_container container;
    enum api_npy_v2 npy_v2;
    bool skip_unsupported; /* leave out what the format cannot hold; else it is an error */
};

/* ?format= (or Accept), and what api_export_options_take takes, of a route that lists them. */
ERR_MUST_CHECK enum err_code api_export_options_of_query(struct api_request *rq,
                                                         struct api_reply *rp,
                                                         struct api_export_options *out,
                                                         struct err *err);
/* The same of a JSON body, where format must be given. */
ERR_MUST_CHECK enum err_code api_export_options_of_body(struct api_request *rq,
                                                        struct api_object *body,
                                                        struct api_export_options *out,
                                                        struct err *err);
/* compression, container, on_unsupported and npy_v2, for the format that is there already; of the
 * query when body is NULL. */
ERR_MUST_CHECK enum err_code api_export_options_take(struct api_request *rq,
                                                     struct api_object *body,
                                                     struct api_export_options *out,
                                                     struct err *err);

/* What goes out. */
struct api_export {
    struct api_export_options options;
    const char *name;             /* of the file, without its extension: no slashes */
    uint32_t shards;              /* at least 1 */
    const struct bytes *metadata; /* pairs */
    size_t metadata_count;
    uint64_t modified_ms;
};

/* Whether the request wants little of the bytes: the set may be an outline then. */
bool api_export_wants_outline(const struct api_request *rq,
                              const struct api_export_options *options);

/* Owned: api_export_made_drop. The layout's bytes lie in the set, the scratch and the arena. */
struct api_export_made {
    struct tensor_set set;
    struct scratch *scratch; /* NULL: nothing had to be made */
    struct api_layout layout;
    struct api_wire_refused *skipped; /* tensors left out; in the arena */
    size_t skipped_count;
};

/* The files of it, before any archive. Takes the set, also on failure. ERR_NOT_ACCEPTABLE names a
 * tensor that the format cannot hold. */
ERR_MUST_CHECK enum err_code api_export_make(struct api_request *rq, const struct api_export *what,
                                             struct tensor_set *set, struct api_export_made *out,
                                             struct err *err);
void api_export_made_drop(struct api_export_made *made);
/* What was made becomes one file, an archive of all; API_CONTAINER_UNSAID: stays as it is. */
ERR_MUST_CHECK enum err_code api_export_wrap(struct api_request *rq, const struct api_export *what,
                                             enum api_container container,
                                             struct api_export_made *made, struct err *err);
/* As a reply: one file, or an archive of several. Takes the set, also on failure. */
ERR_MUST_CHECK enum err_code api_export_reply(struct api_request *rq, struct api_reply *rp,
                                              const struct api_export *what, struct tensor_set *set,
                                              struct err *err);

#endif
