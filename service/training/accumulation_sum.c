#include "service/training/accumulation_sum.h"

#include <inttypes.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

static enum err_code
add(enum dtype dtype, const void *sum, const void *gradient, void *out, uint64_t count,
    struct err *err)
{
    return kernel_binary(KERNEL_ADD, dtype, (struct kernel_operand){sum, 1},
                         (struct kernel_operand){gradient, 1}, out, count, err);
}

static enum err_code
divide(enum dtype dtype, const void *sum, uint32_t divisor, void *out, uint64_t count,
       struct err *err)
{
    _Alignas(16) uint8_t number[16];

    tensor_element_of_double(dtype, divisor, number);
    return kernel_binary(KERNEL_DIVIDE, dtype, (struct kernel_operand){sum, 1},
                         (struct kernel_operand){number, 0}, out, count, err);
}

/* --- dense --------------------------------------------------------------------------------- */

struct addition {
    struct value_reader before; /* open when `adds` */
    bool adds;
    uint8_t *room, *sum_room; /* owned */
};

static void
addition_drop(struct addition *a)
{
    value_reader_drop(&a->before);
    mem_free(a->room);
    mem_free(a->sum_room);
}

static enum err_code
addition_open(const struct draft *draft, const struct value_ref *before, struct addition *a,
              struct err *err)
{
    a->room = mem_aligned(ACCUMULATION_PIECE_BYTES, err);
    a->sum_room = mem_aligned(ACCUMULATION_PIECE_BYTES, err);
    if (a->room == NULL || a->sum_room == NULL)
        return ERR_NO_MEMORY;
    if (before == NULL)
        return OK;
    TRY(value_open(draft->view, before, &a->before, err));
    a->adds = true;
    return OK;
}

enum err_code
accumulation_add_dense(struct draft *draft, const char *name, const struct tensor_type *type,
                       const struct value_ref *before, accumulation_read *read, void *context,
                       struct draft_value **out, struct err *err)
{
    AUTO(addition) a = {.adds = false};
    AUTO_WRITER w = NULL;
    uint64_t total = shape_count(&type->shape), first = 0;
    uint32_t element_size = dtype_size(type->dtype);

    TRY(draft_work(draft, tensor_type_bytes(type) * (before == NULL ? 1 : 2), err));
    TRY(addition_open(draft, before, &a, err));
    TRY(draft_write_loose(draft, name, tensor_type_bytes(type), STORE_CLASS_BULK, &w, err));
    while (first < total) {
        const void *gradient = NULL;
        uint8_t *to = NULL;
        size_t size = 0;
        uint64_t count;

        TRY(draft_write_reserve(w, &to, &size, err));
        count = (size < ACCUMULATION_PIECE_BYTES ? size : ACCUMULATION_PIECE_BYTES) / element_size;
        count = count < total - first ? count : total - first;
        TRY(read(context, first, count, a.room, &gradient, err));
        if (a.adds) {
            TRY(value_copy(&a.before, first * element_size, count * element_size, a.sum_room, err));
            TRY(add(type->dtype, a.sum_room, gradient, to, count, err));
        } else {
            memcpy(to, gradient, count * element_size);
        }
        TRY(draft_write_commit(w, count * element_size, err));
        first += count;
    }
    return draft_write_keep(TAKE(w), out, err);
}

void
accumulation_average_drop(struct accumulation_average *average)
{
    value_reader_drop(&average->sum);
    mem_free(average->room);
    *average = (struct accumulation_average){.open = false};
}

enum err_code
accumulation_average_open(const struct store_view *view, const struct sum_record *sum,
                          uint32_t divisor, struct accumulation_average *out, struct err *err)
{
    out->dtype = sum->type.dtype;
    out->divisor = divisor;
    out->room = mem_aligned(ACCUMULATION_PIECE_BYTES, err);
    if (out->room == NULL)
        return ERR_NO_MEMORY;
    TRY(value_open(view, &sum->values, &out->sum, err));
    out->open = true;
    return OK;
}

enum err_code
accumulation_average_read(struct accumulation_average *average, uint64_t first, uint64_t count,
                          const void *last, uint8_t *out, struct err *err)
{
    uint32_t element_size = dtype_size(average->dtype);
    const uint8_t *sum = average->room;

    TRY(value_copy(&average->sum, first * element_size, count * element_size, average->room, err));
    if (last != NULL) {
        TRY(add(average->dtype, average->room, last, out, count, err));
        sum = out;
    }
    return divide(average->dtype, sum, average->divisor, out, count, err);
}

/* --- sparse -------------------------------------------------------------------------------- */

void
accumulation_rows_drop(struct accumulation_rows *rows)
{
    mem_free(rows->numbers);
    mem_free(rows->counts);
    mem_free(rows->values);
    *rows = (struct accumulation_rows){0};
}

static enum err_code
rows_room(struct accumulation_rows *rows, uint64_t width, uint64_t count, enum dtype dtype,
          struct err *err)
{
    rows->width = width;
    rows->numbers = mem_aligned(count * sizeof *rows->numbers, err);
    rows->counts = mem_aligned(count * sizeof *rows->counts, err);
    rows->values = mem_aligned(count * width * dtype_size(dtype), err);
    return rows->numbers == NULL || rows->counts == NULL || rows->values == NULL ? ERR_NO_MEMORY
                                                                                 : OK;
}

static enum err_code
copy_value(const struct store_view *view, const struct value_ref *ref, void *out, struct err *err)
{
    AUTO(value_reader) reader = {0};

    if (ref->size == 0)
        return OK;
    TRY(value_open(view, ref, &reader, err));
    return value_copy(&reader, 0, ref->size, out, err);
}

static enum err_code
check_order(const struct accumulation_rows *rows, uint64_t row_count, struct err *err)
{
    for (uint64_t i = 0; i < rows->count; i++)
        if (rows->numbers[i] >= row_count || rows->counts[i] == 0 ||
            (i > 0 && rows->numbers[i - 1] >= rows->numbers[i]))
            return err_set(err, ERR_DATA_LOSS, "the rows of a sum of gradients are out of order");
    return OK;
}

enum err_code
accumulation_rows_load(const struct store_view *view, const struct sum_record *sum,
                       struct accumulation_rows *out, struct err *err)
{
    uint64_t row_count = sum->type.shape.dims[0];
    uint64_t width = row_count == 0 ? 0 : shape_count(&sum->type.shape) / row_count;
    AUTO(accumulation_rows) rows = {0};

    TRY(rows_room(&rows, width, sum->rows, sum->type.dtype, err));
    TRY(copy_value(view, &sum->numbers, rows.numbers, err));
    TRY(copy_value(view, &sum->counts, rows.counts, err));
    TRY(copy_value(view, &sum->values, rows.values, err));
    rows.count = sum->rows;
    TRY(check_order(&rows, row_count, err));
    *out = TAKE(rows);
    return OK;
}

/* The next row of both, in order, to the end of `out`. */
struct merge {
    const struct accumulation_rows *sum;
    const struct sparse *gradient;
    const uint64_t *order;
    const uint8_t *values;
    enum dtype dtype;
    uint64_t in_sum, in_gradient; /* places */
};

static enum err_code
merge_row(struct merge *m, struct accumulation_rows *out, struct err *err)
{
    uint64_t row_bytes = out->width * dtype_size(m->dtype), at = out->count++;
    bool from_sum = m->in_sum < m->sum->count, from_gradient = m->in_gradient < m->gradient->count;
    uint64_t mine = from_sum ? m->sum->numbers[m->in_sum] : UINT64_MAX;
    uint64_t place = from_gradient ? m->order[m->in_gradient] : 0;
    uint64_t theirs = from_gradient ? m->gradient->rows[place] : UINT64_MAX;
    const uint8_t *sum, *gradient;
    uint8_t *to = out->values + at * row_bytes;

    from_sum = from_sum && mine <= theirs;
    from_gradient = from_gradient && theirs <= mine;
    sum = from_sum ? m->sum->values + m->in_sum * row_bytes : NULL;
    gradient = from_gradient ? m->values + place * row_bytes : NULL;
    out->numbers[at] = from_sum ? mine : theirs;
    out->counts[at] = (from_sum ? m->sum->counts[m->in_sum] : 0) + from_gradient;
    m->in_sum += from_sum;
    m->in_gradient += from_gradient;
    if (from_sum && from_gradient)
        return add(m->dtype, sum, gradient, to, out->width, err);
    if (row_bytes > 0)
        memcpy(to, from_sum ? sum : gradient, row_bytes);
    return OK;
}

enum err_code
accumulation_rows_add(const struct accumulation_rows *sum, const struct sparse *gradient,
                      const uint64_t *order, const uint8_t *values, enum dtype dtype,
                      uint64_t bytes_max, struct accumulation_rows *out, struct err *err)
{
    struct merge m = {
        .sum = sum, .gradient = gradient, .order = order, .values = values, .dtype = dtype};
    uint64_t row_bytes = gradient->width * dtype_size(dtype), most = sum->count + gradient->count;
    uint64_t bytes = most * (row_bytes + sizeof *out->numbers + sizeof *out->counts);
    AUTO(accumulation_rows) rows = {0};

    if (bytes > bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the sum of the sparse gradients takes up to %" PRIu64
                       " bytes, the limit is %" PRIu64 " (expression_max_bytes)",
                       bytes, bytes_max);
    TRY(rows_room(&rows, gradient->width, most, dtype, err));
    while (m.in_sum < sum->count || m.in_gradient < gradient->count)
        TRY(merge_row(&m, &rows, err));
    *out = TAKE(rows);
    return OK;
}

enum err_code
accumulation_rows_average(struct accumulation_rows *rows, enum dtype dtype, struct err *err)
{
    uint64_t row_bytes = rows->width * dtype_size(dtype);

    for (uint64_t i = 0; i < rows->count; i++) {
        uint8_t *row = rows->values + i * row_bytes;

        TRY(divide(dtype, row, rows->counts[i], row, rows->width, err));
    }
    return OK;
}

static enum err_code
write_loose(struct draft *draft, const char *name, const void *bytes, uint64_t size,
            struct draft_value **out, struct err *err)
{
    AUTO_WRITER w = NULL;

    TRY(draft_write_loose(draft, name, size, STORE_CLASS_BULK, &w, err));
    TRY(draft_write_append(w, bytes, size, err));
    return draft_write_keep(TAKE(w), out, err);
}

enum err_code
accumulation_rows_write(struct draft *draft, const char *name, const struct accumulation_rows *rows,
                        enum dtype dtype, struct draft_value *out[static ACCUMULATION_ROWS_VALUES],
                        struct err *err)
{
    uint64_t values_size = rows->count * rows->width * dtype_size(dtype);

    TRY(draft_work(draft, values_size * 2, err));
    TRY(write_loose(draft, name, rows->values, values_size, &out[0], err));
    TRY(write_loose(draft, name, rows->numbers, rows->count * sizeof *rows->numbers, &out[1], err));
    return write_loose(draft, name, rows->counts, rows->count * sizeof *rows->counts, &out[2], err);
}
