/* Digests of a checkpoint's tensors that are read for it, in place of the checksums that cost
 * nothing. */
#ifndef API_TENSORS_TENSOR_DIGESTS_H
#define API_TENSORS_TENSOR_DIGESTS_H

#include <jansson.h>

#include "api/request.h"
#include "service/saving/checkpoint.h"

/* ?digest=crc32c or sha-256; crc32c when absent. */
ERR_MUST_CHECK enum err_code api_tensor_digests_wanted(struct api_request *rq, bool *sha256,
                                                       struct err *err);
/* Sets "digest" of each of `tensors`, the list of all tensors of the checkpoint in the order of
 * their names, to "sha-256:" and 64 hexadecimal digits. On a worker. ERR_ABORTED when the
 * checkpoint is another one by now. */
ERR_MUST_CHECK enum err_code api_tensor_digests_set(struct api_request *rq,
                                                    const struct checkpoint_info *info,
                                                    json_t *tensors, struct err *err);

#endif
