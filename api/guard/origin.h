/* Where a set of tensors comes from, for formats that can tell: the pairs model, revision, step
 * beside those a checkpoint was imported with. Of imported pairs with one of these names ours are
 * told: they say what the file is a file of; the imported ones stay in the checkpoint. */
#ifndef API_GUARD_ORIGIN_H
#define API_GUARD_ORIGIN_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

struct api_origin {
    const char *model; /* borrowed, also by the pairs */
    uint64_t revision; /* of a checkpoint's making, or of the state that was read */
    bool has_step;     /* without one an imported step stays */
    int64_t step;
};

/* *out: name, value, name, value …, sorted by name; in the arena. `imported`: pairs, borrowed. */
ERR_MUST_CHECK enum err_code api_origin_metadata(const struct api_origin *origin,
                                                 const struct bytes *imported,
                                                 size_t imported_count, struct arena *arena,
                                                 const struct bytes **out, size_t *count,
                                                 struct err *err);

#endif
