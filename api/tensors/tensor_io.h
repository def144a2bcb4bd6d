/* Tensors between the wire and the domain: bodies as sources, sets as replies. */
#ifndef API_TENSORS_TENSOR_IO_H
#define API_TENSORS_TENSOR_IO_H

#include "api/http/negotiate.h"
#include "api/reply.h"
#include "api/wire/npy_read.h"
#include "service/variable/tensor_set.h"
#include "service/variable/variable_write.h"

/* A body that holds one tensor: its type and size, and where its bytes come from. Owns what it
 * decoded: api_tensor_body_drop. */
struct api_tensor_body {
    struct tensor_type type;
    uint64_t size;
    struct tensor_source source; /* borrows from this struct and the request */
    struct api_request *rq;
    struct tensor decoded; /* JSON */
    struct api_byte_source bytes;
    struct api_npy_reader npy;
    bool is_npy;
    uint64_t offset; /* of what is read next */
};

/* Opens the body in whatever form its Content-Type or its first bytes say: JSON, raw (dtype and
 * shape from Tensor-Dtype and Tensor-Shape, else from `hint`), npy. `hint` (may be NULL): the
 * variable's type. */
ERR_MUST_CHECK enum err_code api_tensor_body_open(struct api_request *rq,
                                                  const struct tensor_type *hint,
                                                  struct api_tensor_body *out, struct err *err);
void api_tensor_body_drop(struct api_tensor_body *body);

/* Replies with the one tensor of `set` in `format`. Takes the set, also on failure. */
ERR_MUST_CHECK enum err_code api_reply_tensor(struct api_request *rq, struct api_reply *rp,
                                              enum api_format format, struct tensor_set *set,
                                              struct err *err);
/* All of them, as JSON or in a format of sets, which metadata (pairs) is for. Takes the set. */
ERR_MUST_CHECK enum err_code api_reply_tensors(struct api_request *rq, struct api_reply *rp,
                                               enum api_format format, struct tensor_set *set,
                                               const struct bytes *metadata, size_t metadata_count,
                                               struct err *err);
/* What makes one reading of a value differ from another at the same revision: the format (its
 * name), and every other query argument. */
enum { API_REPRESENTATION_BYTES_MAX = 64 };
const char *api_representation(struct api_request *rq, const char *format,
                               char out[static API_REPRESENTATION_BYTES_MAX]);

#endif
