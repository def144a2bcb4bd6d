/* Private to service/: which elements of a value a preview is of. */
#ifndef SERVICE_WATCH_PREVIEW_WINDOW_H
#define SERVICE_WATCH_PREVIEW_WINDOW_H

#include "service/watch/preview.h"

/* About 64 bytes a dimension: three numbers and what stands between them. */
enum { PREVIEW_SLICE_BYTES_MAX = SHAPE_RANK_MAX * 64 };

struct preview_window {
    uint64_t view_rows, view_cols;
    struct preview_range rows, cols;
    char slice[PREVIEW_SLICE_BYTES_MAX]; /* of the window's elements, in order */
};

ERR_MUST_CHECK enum err_code preview_window_find(const struct shape *shape,
                                                 const struct preview_spec *spec,
                                                 struct preview_window *out, struct err *err);

#endif
