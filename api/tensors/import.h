/* A set of tensors that arrives, in whichever format it is: the body of a request, or files that
 * are there already. */
#ifndef API_TENSORS_IMPORT_H
#define API_TENSORS_IMPORT_H

#include "api/request.h"
#include "api/wire/format.h"
#include "service/saving/checkpoint.h"

struct api_import_options {
    const struct api_wire_format *format; /* NULL: as the bytes look */
    const char *prefix;                   /* which of several checkpoints; NULL: there is one */
    const char *tensor;                   /* the name of an array that comes without one */
    bool skip_unsupported; /* leave out tensors that cannot be kept; else they are an error */
    enum api_npy_v2 npy_v2;
};

/* format, prefix, tensor, on_unsupported and npy_v2: of the query of a route that lists them, or of
 * a JSON body (NULL: the query). */
ERR_MUST_CHECK enum err_code api_import_options_of(struct api_request *rq, struct api_object *body,
                                                   struct api_import_options *out, struct err *err);

/* Owned: api_import_drop. Must not move once it is open. */
struct api_import {
    struct api_request *rq; /* borrowed */
    struct api_wire_limits limits;
    struct scratch *scratch;
    struct api_byte_source bytes; /* of the body, or of a single file */
    struct api_file_stream file;
    struct api_file_set files;
    struct api_wire_input input;
    struct api_wire_reader reader;
    const struct api_wire_format *format;
};

/* Reads as much of the body as its format needs to tell what there is. ERR_UNSUPPORTED_MEDIA_TYPE
 * lists the formats; ERR_INVALID_ARGUMENT when the bytes are of none. */
ERR_MUST_CHECK enum err_code api_import_open_body(struct api_request *rq,
                                                  const struct api_import_options *options,
                                                  struct api_import *out, struct err *err);
/* The same of files: borrowed, they stay open until the drop. Sorted here. */
ERR_MUST_CHECK enum err_code api_import_open_files(struct api_request *rq,
                                                   const struct api_file_set *files,
                                                   const struct api_import_options *options,
                                                   struct api_import *out, struct err *err);
/* Puts "skipped": [{"name", "reason"}] into an object. */
ERR_MUST_CHECK enum err_code api_import_tell_skipped(const struct api_import *import, json_t *json,
                                                     struct err *err);
void api_import_drop(struct api_import *import);

#endif
