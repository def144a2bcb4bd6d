#include "service/watch/preview_window.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/tensor/slice.h"

/* "begin:end" of `size`, clipped as NumPy does. */
static enum err_code
find_range(const char *which, struct bytes text, uint64_t size, struct preview_range *out,
           struct err *err)
{
    const struct shape line = {.rank = 1, .dims = {size}};
    struct slice slice;
    enum err_code code;

    *out = (struct preview_range){0, size};
    if (text.data == NULL)
        return OK;
    code = slice_parse(text, &line, &slice, err);
    if (code != OK) {
        err_prefix(err, "'%s'", which);
        return code;
    }
    if (slice.result.rank != 1 || slice.step[0] != 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is begin:end, not '%.*s'", which,
                       (int)(text.size < 64 ? text.size : 64), (const char *)text.data);
    *out = (struct preview_range){slice.start[0], slice.start[0] + slice.count[0]};
    return OK;
}

/* The source dimension of each that is left: slices drop some and reorder none, so from the last
 * one on each is the next of its size; which of two of one element it is makes no difference. */
static void
find_dimensions(const struct slice *slice, uint32_t out[2])
{
    uint32_t left = slice->result.rank;

    for (uint32_t d = slice->source.rank; d-- > 0 && left > 0;)
        if (slice->count[d] == slice->result.dims[left - 1])
            out[--left] = d;
}

static void
narrow(struct slice *slice, uint32_t dimension, const struct preview_range *range)
{
    /* Within the dimension, whatever the sign of the step. */
    slice->start[dimension] += range->begin * (uint64_t)slice->step[dimension];
    slice->count[dimension] = range->end - range->begin;
}

static void
print(const struct slice *slice, char out[PREVIEW_SLICE_BYTES_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (uint32_t d = 0; d < slice->source.rank; d++) {
        const int64_t start = (int64_t)slice->start[d], step = slice->step[d];
        const int64_t last = start + step * ((int64_t)slice->count[d] - 1);
        const char *comma = d > 0 ? "," : "";
        char *to = out + used;
        const size_t room = PREVIEW_SLICE_BYTES_MAX - used;
        int length;

        if (slice->count[d] == 0)
            length = snprintf(to, room, "%s0:0", comma);
        else if (step < 0 && last == 0)
            length = snprintf(to, room, "%s%" PRId64 "::%" PRId64, comma, start, step);
        else
            length = snprintf(to, room, "%s%" PRId64 ":%" PRId64 ":%" PRId64, comma, start,
                              last + (step < 0 ? -1 : 1), step);
        used += (size_t)length;
    }
}

enum err_code
preview_window_find(const struct shape *shape, const struct preview_spec *spec,
                    struct preview_window *out, struct err *err)
{
    const struct bytes all = bytes_of("", 0);
    struct slice slice;
    uint32_t dimensions[2] = {0};
    char text[SHAPE_TEXT_BYTES_MAX];
    uint32_t rank;

    TRY(slice_parse(spec->slice.data != NULL ? spec->slice : all, shape, &slice, err));
    rank = slice.result.rank;
    if (rank > 2)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s has more than two dimensions: 'slice' is to leave two at most (an index "
                       "for each of the first %" PRIu32 ", perhaps)",
                       shape_text(&slice.result, text), rank - 2);
    out->view_rows = rank == 2 ? slice.result.dims[0] : 1;
    out->view_cols = rank > 0 ? slice.result.dims[rank - 1] : 1;
    TRY(find_range("rows", spec->rows, out->view_rows, &out->rows, err));
    TRY(find_range("cols", spec->cols, out->view_cols, &out->cols, err));
    find_dimensions(&slice, dimensions);
    if (rank > 0)
        narrow(&slice, dimensions[rank - 1], &out->cols);
    if (rank == 2)
        narrow(&slice, dimensions[0], &out->rows);
    print(&slice, out->slice);
    return OK;
}
