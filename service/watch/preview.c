/* Each row of cells is made by one thread, from the elements in their order: nothing depends on how
 * many threads there are, nor on how a value is kept. */
#include "service/watch/preview.h"

#include <math.h>

#include "service/state.h"
#include "service/tensor/statistics.h"
#include "service/tensor/widen.h"
#include "service/variable/tensor_runs.h"
#include "service/watch/preview_window.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { PIECE = KERNEL_WIDEN_MAX / 2, ELEMENT_BYTES_MAX = 16, PARTS_MAX = 2 * PIECE, SUMS = 4 };

/* One of the two values. */
struct side {
    enum dtype dtype;
    struct tensor_runs runs;
};

static void
side_drop(struct side *side)
{
    tensor_runs_drop(&side->runs);
}

struct work {
    const struct service *service;
    struct side value, against;
    bool compared;
    enum preview_reduce reduce;
    uint64_t rows, cols;    /* elements of the window */
    uint64_t height, width; /* cells */
    float *tile;
};

/* --- elements ------------------------------------------------------------------------------ */

/* Up to PIECE elements of a side, from number `first` of the window on. */
static void
read_numbers(const struct side *side, uint64_t first, uint64_t count, double *out)
{
    const size_t size = dtype_size(side->dtype);
    _Alignas(64) uint8_t room[PIECE * ELEMENT_BYTES_MAX];

    kernel_statistics_widen(
        side->dtype, tensor_runs_bytes(&side->runs, first * size, (size_t)count * size, room),
        count, out);
}

static void
read_parts(const struct side *side, uint64_t first, uint64_t count, double *out)
{
    const size_t size = dtype_size(side->dtype);
    _Alignas(64) uint8_t room[PIECE * ELEMENT_BYTES_MAX];

    kernel_widen(dtype_real(side->dtype),
                 tensor_runs_bytes(&side->runs, first * size, (size_t)count * size, room), out,
                 2 * count);
}

static void
read_elements(const struct work *work, uint64_t first, uint64_t count, double *out)
{
    double a[PARTS_MAX], b[PARTS_MAX];

    if (!work->compared) {
        read_numbers(&work->value, first, count, out);
    } else if (dtype_is_complex(work->value.dtype)) {
        read_parts(&work->value, first, count, a);
        read_parts(&work->against, first, count, b);
        for (uint64_t i = 0; i < count; i++)
            out[i] = hypot(a[2 * i] - b[2 * i], a[2 * i + 1] - b[2 * i + 1]);
    } else {
        read_numbers(&work->value, first, count, out);
        read_numbers(&work->against, first, count, b);
        for (uint64_t i = 0; i < count; i++)
            out[i] -= b[i];
    }
}

/* --- cells --------------------------------------------------------------------------------- */

/* Where cell i of `cells` begins among `count`. */
static uint64_t
begin_of(uint64_t i, uint64_t count, uint64_t cells)
{
    return i * count / cells;
}

/* The greater by its absolute value; NaN, and infinities that contradict each other, stay NaN. */
static double
greater(double a, double b)
{
    if (isnan(a) || isnan(b) || (isinf(a) && isinf(b) && a != b))
        return NAN;
    return fabs(b) > fabs(a) ? b : a;
}

/* By SUMS lanes: a single one would wait for each addition. */
static double
sum_of(const double *x, uint64_t count)
{
    double lanes[SUMS] = {0};
    uint64_t i = 0;

    for (; i + SUMS <= count; i += SUMS)
        for (uint64_t k = 0; k < SUMS; k++)
            lanes[k] += x[i + k];
    for (uint64_t k = 0; i < count; i++, k++)
        lanes[k] += x[i];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

static double
reduce_run(enum preview_reduce reduce, double cell, const double *x, uint64_t count)
{
    if (reduce == PREVIEW_MEAN)
        return cell + sum_of(x, count);
    for (uint64_t i = 0; i < count; i++)
        cell = greater(cell, x[i]);
    return cell;
}

/* A row of elements into the cells of a row; each of them is 0 at first. */
static void
add_row(const struct work *work, uint64_t row, double *cells)
{
    double x[PIECE];
    uint64_t cell = 0;

    for (uint64_t at = 0, n = 0; at < work->cols; at += n) {
        n = work->cols - at < PIECE ? work->cols - at : PIECE;
        read_elements(work, row * work->cols + at, n, x);
        for (uint64_t i = 0, run = 0; i < n; i += run) {
            const uint64_t end = begin_of(cell + 1, work->cols, work->width) - at;

            run = (end < n ? end : n) - i;
            cells[cell] = reduce_run(work->reduce, cells[cell], x + i, run);
            cell += end <= n;
        }
    }
}

static enum err_code
make_blocks(const struct work *work, uint64_t row, float *out, struct err *err)
{
    const uint64_t first = begin_of(row, work->rows, work->height);
    const uint64_t last = begin_of(row + 1, work->rows, work->height);
    double cells[PREVIEW_CELLS_MAX] = {0};

    for (uint64_t r = first; r < last; r++) {
        TRY(service_check_interrupt(work->service, err));
        add_row(work, r, cells);
    }
    for (uint64_t i = 0; i < work->width; i++) {
        const uint64_t columns =
            begin_of(i + 1, work->cols, work->width) - begin_of(i, work->cols, work->width);
        const double count = (double)(last - first) * (double)columns;

        out[i] = (float)(work->reduce == PREVIEW_MEAN ? cells[i] / count : cells[i]);
    }
    return OK;
}

static void
make_nearest(const struct work *work, uint64_t row, float *out)
{
    const uint64_t r = begin_of(2 * row + 1, work->rows, 2 * work->height);
    double x;

    for (uint64_t i = 0; i < work->width; i++) {
        const uint64_t c = begin_of(2 * i + 1, work->cols, 2 * work->width);

        read_elements(work, r * work->cols + c, 1, &x);
        out[i] = (float)x;
    }
}

static enum err_code
make_row(void *context, uint32_t lane, uint64_t row, struct err *err)
{
    const struct work *work = context;
    float *out = work->tile + row * work->width;

    (void)lane;
    if (work->reduce != PREVIEW_NEAREST)
        return make_blocks(work, row, out, err);
    make_nearest(work, row, out);
    return OK;
}

/* --- */

static enum err_code
check_types(const struct look *look, bool compared, struct err *err)
{
    const struct tensor_type *type = &look->value.type, *other = &look->against.type;
    char ours[TENSOR_TYPE_TEXT_BYTES_MAX], theirs[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (!kernel_statistics_known(type->dtype))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "elements of dtype %s are no numbers: there is no preview of them",
                       dtype_name(type->dtype));
    if (!compared)
        return OK;
    if (!shape_equal(&type->shape, &other->shape) || !kernel_statistics_known(other->dtype) ||
        dtype_is_complex(type->dtype) != dtype_is_complex(other->dtype))
        return err_set(err, ERR_FAILED_PRECONDITION,
                       "the value is %s, and what it is to be compared with is %s",
                       tensor_type_text(type, ours), tensor_type_text(other, theirs));
    return OK;
}

static enum err_code
add_side(const struct look *look, const struct look_value *value, const char *slice,
         struct tensor_set *set, struct err *err)
{
    return tensor_set_add(set, look->snapshot, "", 0, &value->type, &value->value,
                          bytes_of_text(slice), DTYPE_UNSET, err);
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum err_code
make_tile(struct look *look, const struct tensor_set *set, struct work *work, struct preview *out,
          struct err *err)
{
    const struct tensor_type type = {.dtype = DTYPE_FLOAT32,
                                     .shape = {.rank = 2, .dims = {work->height, work->width}}};

    work->value.dtype = look->value.type.dtype;
    TRY(tensor_runs_open(set, 0, &work->value.runs, err));
    work->compared = set->entry_count == 2;
    if (work->compared) {
        work->against.dtype = look->against.type.dtype;
        TRY(tensor_runs_open(set, 1, &work->against.runs, err));
    }
    TRY(tensor_init(&out->tile, &type, tensor_type_bytes(&type), err));
    work->tile = (float *)(void *)out->tile.data;
    if (work->width == 0)
        return OK;
    return parallel_do(look->service->parallel, work->height, make_row, work, err);
}

enum err_code
preview_make(struct look *look, const struct preview_spec *spec, struct preview *out,
             struct err *err)
{
    const bool compared = look->against.value.kind != VALUE_NONE;
    AUTO(tensor_set) set = {0};
    AUTO(preview) preview = {.view_rows = 0};
    struct preview_window window;
    struct work work = {.service = look->service, .reduce = spec->reduce};
    enum err_code code;

    TRY(check_types(look, compared, err));
    TRY(preview_window_find(&look->value.type.shape, spec, &window, err));
    TRY(tensor_set_open(look->service, look->snapshot, false, &set, err));
    TRY(add_side(look, &look->value, window.slice, &set, err));
    if (compared)
        TRY(add_side(look, &look->against, window.slice, &set, err));
    look_settle(look);
    preview.view_rows = window.view_rows;
    preview.view_cols = window.view_cols;
    preview.rows = window.rows;
    preview.cols = window.cols;
    work.rows = window.rows.end - window.rows.begin;
    work.cols = window.cols.end - window.cols.begin;
    work.height = lesser(work.rows, spec->height);
    work.width = lesser(work.cols, spec->width);
    code = make_tile(look, &set, &work, &preview, err);
    side_drop(&work.value);
    side_drop(&work.against);
    TRY(code);
    *out = TAKE(preview);
    return OK;
}

void
preview_drop(struct preview *preview)
{
    tensor_drop(&preview->tile);
}
