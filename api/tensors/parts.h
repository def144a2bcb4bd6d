/* What a request that updates carries, in whichever form it came:
 *
 *   application/json               a document; tensors are written out in it
 *   multipart/form-data            the document as part `request`, and, before or after it, tensors
 *                                  as part `tensors` (safetensors): {"tensor": key} means one
 *   application/vnd.safetensors    tensors alone, where the route takes them: their names and
 *                                  __metadata__ say what they are for
 *
 * A body that does not say what it is (no type, curl's default form type) is looked at. */
#ifndef API_TENSORS_PARTS_H
#define API_TENSORS_PARTS_H

#include "api/request.h"
#include "api/tensors/tensor_table.h"

/* Owns its tensors and what was parsed: api_parts_drop, after every expression that was read with
 * it. */
struct api_parts {
    struct api_json *doc;            /* NULL: tensors alone */
    struct api_tensor_table tensors; /* of no place: the body was JSON alone */
    struct api_json *parsed;         /* owned; doc, when it came as a part */
    struct buf text;                 /* owned; what it was parsed from */
};

/* Reads the whole body. `takes_tensors_alone`: the route understands them. ERR_INVALID_ARGUMENT,
 * ERR_PAYLOAD_TOO_LARGE naming the setting, ERR_UNSUPPORTED_MEDIA_TYPE naming what is taken. */
ERR_MUST_CHECK enum err_code api_parts_open(struct api_request *rq, bool takes_tensors_alone,
                                            struct api_parts *out, struct err *err);
void api_parts_drop(struct api_parts *parts);

/* --- the pure part, for tests -------------------------------------------------------------- */

struct api_parts_limits {
    struct api_json_limits json;
    struct api_tensor_limits tensors;
};

/* A multipart/form-data body. */
ERR_MUST_CHECK enum err_code api_parts_read(struct bytes content_type,
                                            const struct api_byte_source *source,
                                            const struct api_parts_limits *limits,
                                            struct arena *arena, struct api_parts *out,
                                            struct err *err);

#endif
