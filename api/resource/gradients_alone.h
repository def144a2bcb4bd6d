/* Gradients as tensors alone: a safetensors body for apply_gradients. A tensor is named like the
 * variable it is for; `emb.indices` and `emb.values` together are the sparse gradient of emb. What
 * else the JSON would say stands in the query, or in the file's __metadata__.
 *
 * Such a body means what the JSON that names its tensors means, and is turned into that: there is
 * one way to read gradients (api/resource/gradients_json.h). */
#ifndef API_RESOURCE_GRADIENTS_ALONE_H
#define API_RESOURCE_GRADIENTS_ALONE_H

#include "api/tensors/parts.h"

/* Gives parts that are tensors alone their document. With a document of its own the request has
 * nothing to say in its query: ERR_INVALID_ARGUMENT. */
ERR_MUST_CHECK enum err_code api_gradients_alone(struct api_request *rq, struct api_parts *parts,
                                                 struct err *err);

/* --- the pure part, for tests -------------------------------------------------------------- */

/* What the query may say, and the metadata: NULL at the end. */
enum { API_GRADIENTS_ARGUMENTS = 6 };
extern const char *const api_gradients_arguments[API_GRADIENTS_ARGUMENTS + 1];

/* `arguments`: values of the query, in that order; data NULL: not given. Appends the JSON.
 * ERR_INVALID_ARGUMENT names the tensor, or the argument that is given twice. */
ERR_MUST_CHECK enum err_code
api_gradients_text(struct api_tensor_table *tensors,
                   const struct bytes arguments[static API_GRADIENTS_ARGUMENTS], struct buf *out,
                   struct err *err);

#endif
