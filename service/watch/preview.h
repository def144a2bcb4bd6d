/* A value as a picture: a window of two of its dimensions, made so small that it can be shown.
 *
 * A slice (NumPy's basic slicing) leaves two dimensions, rows and columns; or one, which is a row;
 * or none, which is one of one column. Of the window in them, `height` by `width` cells are made at
 * most, never more than there are elements. A cell stands for a block: those of rows
 * [i * R / H, (i + 1) * R / H), rounded down, and likewise for columns.
 *
 *   mean     the sum of the block's elements, row by row, divided by their number
 *   absmax   the element whose absolute value is the greatest, with its sign; the first of those
 *   nearest  the element in row (2 i + 1) * R / (2 H), rounded down, and likewise for columns
 *
 * A NaN in a block makes its cell NaN, and so do infinities of both signs; those of one sign make
 * it that infinity. (Of nearest it is the element alone that counts.) Everything is done in float64
 * and rounded to float32 at the end: what is too large for that becomes infinite.
 *
 * Against another value of the same shape each element is the difference, this one minus the other.
 * Complex numbers are taken by their magnitudes; of two, by that of their difference. 64-bit
 * integers are rounded before they are subtracted. */
#ifndef SERVICE_WATCH_PREVIEW_H
#define SERVICE_WATCH_PREVIEW_H

#include "service/watch/look.h"

enum { PREVIEW_CELLS_MAX = 1024 }; /* in each direction */

enum preview_reduce { PREVIEW_MEAN, PREVIEW_ABSMAX, PREVIEW_NEAREST, PREVIEW_REDUCE_COUNT };

struct preview_spec {
    struct bytes slice;      /* data NULL: all */
    struct bytes rows, cols; /* "begin:end" of what the slice leaves; data NULL: all */
    uint32_t height, width;  /* 1 to PREVIEW_CELLS_MAX */
    enum preview_reduce reduce;
};

/* A range of what the slice leaves. */
struct preview_range {
    uint64_t begin, end;
};

/* Owned: preview_drop. */
struct preview {
    struct tensor tile;              /* float32, of the height and width that it came to */
    uint64_t view_rows, view_cols;   /* what the slice leaves */
    struct preview_range rows, cols; /* the window */
};

/* Of the value looked at, against the other one if there is one; settles the look.
 * ERR_INVALID_ARGUMENT: no numbers, a slice or a range that is none, more than two dimensions left;
 * ERR_OUT_OF_RANGE: an index past the end; ERR_FAILED_PRECONDITION: the values have other shapes;
 * ERR_PAYLOAD_TOO_LARGE: more than expression_bytes_max would have to be gathered. */
ERR_MUST_CHECK enum err_code preview_make(struct look *look, const struct preview_spec *spec,
                                          struct preview *out, struct err *err);
void preview_drop(struct preview *preview);

#endif
