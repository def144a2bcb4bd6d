/* Row numbers: read from indices, put in order, rid of duplicates. */
#include "service/training/sparse.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/training/sparse_text.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

void
sparse_drop(struct sparse *sparse)
{
    mem_free(sparse->rows);
    *sparse = (struct sparse){0};
}

/* --- reading --------------------------------------------------------------------------------- */

/* Room for `count` rows of what stands under the first `depth` dimensions. */
static enum err_code
sparse_open(const struct sparse_target *target, uint32_t depth, uint64_t count, struct sparse *out,
            struct err *err)
{
    const struct shape *shape = &target->type->shape;

    CHECK(depth <= shape->rank);
    *out = (struct sparse){.width = 1, .row_count = 1, .count = count};
    for (uint32_t i = 0; i < shape->rank; i++)
        *(i < depth ? &out->row_count : &out->width) *= shape->dims[i];
    out->rows = mem_alloc(count * sizeof *out->rows, err);
    return out->rows == NULL ? ERR_NO_MEMORY : OK;
}

static int64_t
index_at(const struct tensor_view *indices, uint64_t at)
{
    int32_t narrow;
    int64_t wide;

    if (indices->type.dtype == DTYPE_INT64) {
        memcpy(&wide, indices->data + at * sizeof wide, sizeof wide);
        return wide;
    }
    CHECK(indices->type.dtype == DTYPE_INT32);
    memcpy(&narrow, indices->data + at * sizeof narrow, sizeof narrow);
    return narrow;
}

/* The rows of the first dimension; *bad is where the first index stands that names none, or
 * sparse->count. */
static enum err_code
read_first(const struct sparse_target *target, const struct tensor_view *indices,
           struct sparse *out, uint64_t *bad, struct err *err)
{
    uint64_t i;

    TRY(sparse_open(target, 1, shape_count(&indices->type.shape), out, err));
    for (i = 0; i < out->count; i++) {
        out->rows[i] = (uint64_t)index_at(indices, i); /* a negative one is far too high */
        if (out->rows[i] >= out->row_count)
            break;
    }
    *bad = i;
    return OK;
}

enum err_code
sparse_read_rows(const struct sparse_target *target, const struct tensor_view *indices,
                 struct sparse *out, struct err *err)
{
    const struct shape *shape = &indices->type.shape;
    AUTO(sparse) sparse = {0};
    char text[SHAPE_TEXT_BYTES_MAX];
    uint64_t bad = 0;

    TRY(read_first(target, indices, &sparse, &bad, err));
    if (bad < sparse.count)
        return sparse_refuse(target, err, "indices%s = %" PRId64 " is not in [0, %" PRIu64 ")",
                             sparse_place_text(shape, shape->rank, bad, text),
                             index_at(indices, bad), sparse.row_count);
    *out = TAKE(sparse);
    return OK;
}

enum err_code
sparse_read_gradient(const struct sparse_target *target, const struct tensor_view *indices,
                     struct sparse *out, struct err *err)
{
    AUTO(sparse) sparse = {0};
    uint64_t bad = 0;

    TRY(read_first(target, indices, &sparse, &bad, err));
    if (bad < sparse.count)
        return sparse_refuse(target, err,
                             "Index %" PRId64 " at offset %" PRIu64 " in indices is out of range "
                             "[0, %" PRIu64 ")",
                             index_at(indices, bad), bad, sparse.row_count);
    *out = TAKE(sparse);
    return OK;
}

/* r1.0 says where the index stands in its own way, which for K over 1 is a place of another; here
 * it is the place. */
static enum err_code
refuse_nd(const struct sparse_target *target, const struct tensor_view *indices, uint64_t bad,
          struct err *err)
{
    const struct shape *shape = &indices->type.shape;
    uint32_t depth = (uint32_t)shape->dims[shape->rank - 1];
    char place[SHAPE_TEXT_BYTES_MAX], row[SHAPE_TEXT_BYTES_MAX], params[SHAPE_TEXT_BYTES_MAX];
    char index[128] = "";

    for (uint32_t k = 0, used = 0; k < depth; k++)
        used += (uint32_t)snprintf(index + used, sizeof index - used, "%s%" PRId64,
                                   k == 0 ? "" : ", ", index_at(indices, bad * depth + k));
    return sparse_refuse(target, err,
                         "Invalid indices: %s = [%s] is not in [0, %" PRIu64
                         "): indices%s = [%s] does not index into shape %s",
                         sparse_place_text(shape, shape->rank, bad * depth, place), index,
                         target->type->shape.dims[0],
                         sparse_place_text(shape, shape->rank - 1, bad, row), index,
                         shape_text(&target->type->shape, params));
}

enum err_code
sparse_read_nd(const struct sparse_target *target, const struct tensor_view *indices,
               struct sparse *out, struct err *err)
{
    const struct shape *shape = &indices->type.shape;
    const uint64_t *dims = target->type->shape.dims;
    AUTO(sparse) sparse = {0};
    uint32_t depth = (uint32_t)shape->dims[shape->rank - 1];

    TRY(sparse_open(target, depth, shape_count(shape) / depth, &sparse, err));
    for (uint64_t i = 0; i < sparse.count; i++) {
        uint64_t row = 0;

        for (uint32_t k = 0; k < depth; k++) {
            uint64_t index = (uint64_t)index_at(indices, i * depth + k);

            if (index >= dims[k])
                return refuse_nd(target, indices, i, err);
            row = row * dims[k] + index;
        }
        sparse.rows[i] = row;
    }
    *out = TAKE(sparse);
    return OK;
}

enum err_code
sparse_check_divisors(const struct sparse_target *target, enum kernel_scatter op,
                      const struct tensor_view *updates, struct err *err)
{
    const struct shape *shape = &updates->type.shape;
    uint64_t count = shape_count(shape);
    uint64_t zero = kernel_scatter_zero(op, updates->type.dtype, updates->data, count);
    char text[SHAPE_TEXT_BYTES_MAX];

    if (zero == count)
        return OK;
    return sparse_refuse(target, err, "updates%s = 0: integer division by zero",
                         sparse_place_text(shape, shape->rank, zero, text));
}

/* --- order ----------------------------------------------------------------------------------- */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static bool
is_ascending(const struct sparse *sparse)
{
    for (uint64_t i = 1; i < sparse->count; i++)
        if (sparse->rows[i - 1] > sparse->rows[i])
            return false;
    return true;
}

/* One pass of a radix sort: positions by one digit of their row, else as they were. */
static void
sort_by_digit(const uint64_t *rows, uint64_t count, uint32_t shift, const uint64_t *from,
              uint64_t *to)
{
    uint64_t places[DIGITS] = {0}, before = 0, here;

    for (uint64_t i = 0; i < count; i++)
        places[rows[i] >> shift & (DIGITS - 1)]++;
    for (uint32_t digit = 0; digit < DIGITS; digit++) {
        here = places[digit];
        places[digit] = before;
        before += here;
    }
    for (uint64_t i = 0; i < count; i++)
        to[places[rows[from[i]] >> shift & (DIGITS - 1)]++] = from[i];
}

enum err_code
sparse_order(const struct sparse *sparse, uint64_t **out, struct err *err)
{
    size_t size = sparse->count * sizeof **out;
    AUTO_CALL(mem_free_scope) uint64_t *order = mem_alloc(size, err);
    AUTO_CALL(mem_free_scope) uint64_t *next = NULL;
    uint64_t *swapped;

    if (order == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < sparse->count; i++)
        order[i] = i;
    if (!is_ascending(sparse)) {
        next = mem_alloc(size, err);
        if (next == NULL)
            return ERR_NO_MEMORY;
        for (uint32_t shift = 0; shift < 64 && (sparse->row_count - 1) >> shift != 0;
             shift += DIGIT_BITS) {
            sort_by_digit(sparse->rows, sparse->count, shift, order, next);
            swapped = order;
            order = next;
            next = swapped;
        }
    }
    *out = TAKE(order);
    return OK;
}

enum err_code
sparse_each_run(const struct sparse *sparse, const uint64_t *order, slice_run *run, void *context,
                struct err *err)
{
    for (uint64_t i = 0, next; i < sparse->count && sparse->width > 0; i = next) {
        uint64_t position = order != NULL ? order[i] : i, row = sparse->rows[position];

        for (next = i + 1; next < sparse->count; next++) {
            uint64_t after = order != NULL ? order[next] : next;

            if (after != position + (next - i) || sparse->rows[after] != row + (next - i))
                break;
        }
        TRY(run(context, row * sparse->width, position * sparse->width, (next - i) * sparse->width,
                err));
    }
    return OK;
}

/* --- duplicates ------------------------------------------------------------------------------ */

/* firsts[i]: the first position that names the row of position i. */
static void
find_firsts(const struct sparse *sparse, const uint64_t *order, uint64_t *firsts)
{
    for (uint64_t i = 0, first = 0; i < sparse->count; i++) {
        if (i == 0 || sparse->rows[order[i]] != sparse->rows[order[i - 1]])
            first = order[i];
        firsts[order[i]] = first;
    }
}

enum err_code
sparse_sum_duplicates(struct sparse *sparse, enum dtype dtype, void *values, struct err *err)
{
    static const _Alignas(16) uint8_t zero[16];
    AUTO_CALL(mem_free_scope) uint64_t *order = NULL;
    AUTO_CALL(mem_free_scope) uint64_t *sums = NULL;
    const uint64_t row_bytes = sparse->width * dtype_size(dtype);
    uint8_t *bytes = values;
    uint64_t unique = 0;

    CHECK(dtype_is_number(dtype));
    TRY(sparse_order(sparse, &order, err));
    sums = mem_alloc(sparse->count * sizeof *sums, err);
    if (sums == NULL)
        return ERR_NO_MEMORY;
    find_firsts(sparse, order, sums);
    /* Then of each first position the place of its sum, which is never behind it: what is moved or
     * added has been read before its own place is written. */
    for (uint64_t i = 0; i < sparse->count; i++) {
        struct kernel_operand value = {bytes + i * row_bytes, 1}, sum = {zero, 0};
        uint64_t place = unique;

        if (sums[i] == i) {
            sparse->rows[unique++] = sparse->rows[i];
            sums[i] = place;
        } else {
            place = sums[sums[i]];
            sum = (struct kernel_operand){bytes + place * row_bytes, 1};
        }
        TRY(kernel_binary(KERNEL_ADD, dtype, sum, value, bytes + place * row_bytes, sparse->width,
                          err));
    }
    sparse->count = unique;
    return OK;
}
