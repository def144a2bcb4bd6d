/* The messages that TensorFlow's two checkpoint formats share: shapes, slices, versions and element
 * types.
 *
 * Reading a message and judging it are two things. A *_read adds what a message says to a struct
 * that was zeroed before the first one (protobuf merges); the *_check says what of it is damage
 * (ERR_INVALID_ARGUMENT) and what is legal there but cannot be kept here (a reason, for a catalog's
 * list of what it refuses). */
#ifndef API_FILE_TF_MESSAGE_H
#define API_FILE_TF_MESSAGE_H

#include "api/file/ordered_code.h"
#include "service/tensor/tensor.h"
#include "store/base/arena.h"

/* --- element types ------------------------------------------------------------------------- */

/* "DT_FLOAT"; NULL for a number that TensorFlow gives to nothing. */
const char *api_tf_dtype_name(uint64_t number);
/* False: TensorFlow's, but not kept here (DT_VARIANT …), or no number of its. */
bool api_tf_dtype_of(uint64_t number, enum dtype *out);
/* 0: TensorFlow has none. */
uint32_t api_tf_dtype_number(enum dtype dtype);

/* --- shapes -------------------------------------------------------------------------------- */

enum { API_TF_RANK_MAX = 254 }; /* TensorFlow's own */

struct api_tf_shape {
    struct shape shape; /* the first SHAPE_RANK_MAX dimensions */
    uint32_t rank;      /* all of them */
    bool unknown_rank, negative, overflows;
    uint64_t count_without_zeros; /* product of the dimensions that are not 0; 0: there are none */
};

ERR_MUST_CHECK enum err_code api_tf_shape_read(struct bytes message, struct api_tf_shape *io,
                                               struct err *err);
/* ERR_INVALID_ARGUMENT: unknown, negative, too many dimensions, or too large for TensorFlow itself.
 * *reason (NULL: none) is why a shape that is right cannot be kept. */
ERR_MUST_CHECK enum err_code api_tf_shape_check(const struct api_tf_shape *shape,
                                                const char **reason, struct err *err);
ERR_MUST_CHECK enum err_code api_tf_shape_append(struct buf *out, const struct shape *shape,
                                                 struct err *err);

/* --- what can be kept ---------------------------------------------------------------------- */

/* A stored tensor's name, number of its element type, and shape. *why is set (ERR_UNIMPLEMENTED and
 * others) when they are right and it cannot be kept: why not; else *dtype. ERR_INVALID_ARGUMENT:
 * they are not right. */
ERR_MUST_CHECK enum err_code api_tf_judge(struct bytes name, uint64_t number,
                                          const struct api_tf_shape *shape, enum dtype *dtype,
                                          struct err *why, struct err *err);

/* --- slices -------------------------------------------------------------------------------- */

struct api_tf_slice {
    uint32_t rank; /* as the message says, also past SHAPE_RANK_MAX */
    struct api_extent extents[SHAPE_RANK_MAX];
};

ERR_MUST_CHECK enum err_code api_tf_slice_read(struct bytes message, struct api_tf_slice *io,
                                               struct err *err);
/* Against the tensor it is a slice of. *first and *part: where it begins in each dimension and its
 * own shape. ERR_INVALID_ARGUMENT: another rank, or not inside. */
ERR_MUST_CHECK enum err_code api_tf_slice_check(const struct api_tf_slice *slice,
                                                const struct shape *whole,
                                                uint64_t first[static SHAPE_RANK_MAX],
                                                struct shape *part, struct err *err);
/* The message's contents. */
ERR_MUST_CHECK enum err_code api_tf_slice_append(struct buf *out, const struct api_extent *extents,
                                                 uint32_t rank, struct err *err);

/* --- versions ------------------------------------------------------------------------------ */

struct api_tf_version {
    int32_t producer, min_consumer;
    bool bad_consumer; /* this reader is listed as one that must not read it */
};

ERR_MUST_CHECK enum err_code api_tf_version_read(struct bytes message, struct api_tf_version *io,
                                                 struct err *err);
/* ERR_INVALID_ARGUMENT: written for newer readers, or not for this one. */
ERR_MUST_CHECK enum err_code api_tf_version_check(const struct api_tf_version *version,
                                                  struct err *err);
/* As a field of the message written in `out`: producer 1. */
ERR_MUST_CHECK enum err_code api_tf_version_put(struct buf *out, uint32_t number, struct err *err);

#endif
