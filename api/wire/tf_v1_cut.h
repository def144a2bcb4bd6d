/* The slices that tensors are written in. */
#ifndef API_WIRE_TF_V1_CUT_H
#define API_WIRE_TF_V1_CUT_H

#include "api/wire/tf_slices.h"
#include "api/wire/tf_v1.h"

/* Of one tensor; all in the arena it was made in. */
struct api_tf_v1_cut {
    struct api_tf_v1_slices_of slices;
    uint32_t *shards; /* of each slice */
};

/* Of every tensor of an export, by place in the order: as it came, where the checkpoint tells that
 * and it still fits; else as it was saved. */
ERR_MUST_CHECK enum err_code api_tf_v1_cut(const struct api_wire_export *what, struct arena *arena,
                                           struct api_tf_v1_cut **out, struct err *err);
/* A slice as parts of its tensor: one. */
ERR_MUST_CHECK enum err_code api_tf_v1_part(const struct tensor_set_entry *entry,
                                            const struct api_extent *extents, struct arena *arena,
                                            struct api_tf_parts *out, struct err *err);

#endif
