/* The fast path of argmin and argmax. */
#include <math.h>
#include <string.h>

#include "service/tensor/convert.h"
#include "service/tensor/reduce.h"
#include "service/tensor/vector.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

VECTOR_FILE

/* `count` elements of row `row`, each beside its own best. */
typedef void beside(void *best, int64_t *out, const void *from, uint64_t count, int64_t row);
/* `count` elements of one column, from row `row` on. */
typedef void along(void *best, int64_t *out, const void *from, uint64_t count, int64_t row);

#define ARG(name, type, better)                                                                    \
    VECTOR_CLONES static void name##_beside(void *best, int64_t *out, const void *from,            \
                                            uint64_t count, int64_t row)                           \
    {                                                                                              \
        const type *elements = from;                                                               \
        type *held = best;                                                                         \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            out[i] = elements[i] better held[i] ? row : out[i];                                    \
            held[i] = elements[i] better held[i] ? elements[i] : held[i];                          \
        }                                                                                          \
    }                                                                                              \
    static void name##_along(void *best, int64_t *out, const void *from, uint64_t count,           \
                             int64_t row)                                                          \
    {                                                                                              \
        const type *elements = from;                                                               \
        type held = *(type *)best;                                                                 \
                                                                                                   \
        for (uint64_t i = 0; i < count; i++)                                                       \
            if (elements[i] better held) {                                                         \
                held = elements[i];                                                                \
                *out = row + (int64_t)i;                                                           \
            }                                                                                      \
        *(type *)best = held;                                                                      \
    }

ARG(greatest_double, double, >)
ARG(least_double, double, <)
ARG(greatest_int64, int64_t, >)
ARG(least_int64, int64_t, <)
ARG(greatest_uint64, uint64_t, >)
ARG(least_uint64, uint64_t, <)

static beside *
beside_of(const struct kernel_argminmax *arg)
{
    if (arg->wide == DTYPE_FLOAT64)
        return arg->least ? least_double_beside : greatest_double_beside;
    if (arg->wide == DTYPE_INT64)
        return arg->least ? least_int64_beside : greatest_int64_beside;
    return arg->least ? least_uint64_beside : greatest_uint64_beside;
}

static along *
along_of(const struct kernel_argminmax *arg)
{
    if (arg->wide == DTYPE_FLOAT64)
        return arg->least ? least_double_along : greatest_double_along;
    if (arg->wide == DTYPE_INT64)
        return arg->least ? least_int64_along : greatest_int64_along;
    return arg->least ? least_uint64_along : greatest_uint64_along;
}

static uint64_t
inner_count(const struct shape *shape, uint32_t axis)
{
    uint64_t count = 1;

    for (uint32_t i = axis + 1; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

uint64_t
kernel_argminmax_bytes(const struct tensor_type *type, uint32_t axis)
{
    return (inner_count(&type->shape, axis) + KERNEL_REDUCE_CHUNK) *
           dtype_size(kernel_reduce_wide(type->dtype, KERNEL_REDUCE_PLAIN));
}

/* Below every element, so that place 0 stays only where nothing is greater. */
static void
start_column(const struct kernel_argminmax *arg, uint8_t *best)
{
    double limit = arg->least ? HUGE_VAL : -HUGE_VAL;
    uint64_t bits = arg->least ? UINT64_MAX : 0;

    if (arg->wide == DTYPE_INT64)
        bits = arg->least ? INT64_MAX : (uint64_t)1 << 63;
    if (arg->wide == DTYPE_FLOAT64)
        memcpy(best, &limit, sizeof limit);
    else
        memcpy(best, &bits, sizeof bits);
}

static void
start_row(const struct kernel_argminmax *arg)
{
    uint32_t size = dtype_size(arg->wide);

    for (uint64_t i = 0; i < arg->inner; i++)
        start_column(arg, arg->best + i * size);
    memset(arg->out, 0, (size_t)arg->inner * sizeof *arg->out);
}

enum err_code
kernel_argminmax_init(struct kernel_argminmax *arg, bool least, const struct tensor_type *type,
                      uint32_t axis, int64_t *out, struct err *err)
{
    *arg = (struct kernel_argminmax){.dtype = type->dtype,
                                     .wide = kernel_reduce_wide(type->dtype, KERNEL_REDUCE_PLAIN),
                                     .least = least,
                                     .axis = type->shape.dims[axis],
                                     .inner = inner_count(&type->shape, axis),
                                     .out = out};
    CHECK(arg->axis > 0 && arg->wide != DTYPE_COMPLEX128);
    arg->chunk = mem_aligned(KERNEL_REDUCE_CHUNK * dtype_size(arg->wide), err);
    if (arg->chunk == NULL)
        return ERR_NO_MEMORY;
    arg->best = mem_aligned((size_t)arg->inner * dtype_size(arg->wide), err);
    if (arg->best == NULL) {
        mem_free(TAKE(arg->chunk));
        return ERR_NO_MEMORY;
    }
    return OK;
}

void
kernel_argminmax_drop(struct kernel_argminmax *arg)
{
    mem_free(arg->best);
    mem_free(arg->chunk);
    arg->best = arg->chunk = NULL;
}

/* How many of the elements at hand can be taken at once from where we are. */
static uint64_t
feed_some(struct kernel_argminmax *arg, const uint8_t *from, uint64_t count)
{
    uint64_t left = arg->inner == 1 ? arg->axis - arg->row : arg->inner - arg->column;
    uint64_t step = left < count ? left : count;
    int64_t row = (int64_t)arg->row;

    if (arg->row == 0 && arg->column == 0)
        start_row(arg);
    if (arg->inner == 1) {
        along_of(arg)(arg->best, arg->out, from, step, row);
        arg->row += step;
    } else {
        beside_of(arg)(arg->best + arg->column * dtype_size(arg->wide), arg->out + arg->column,
                       from, step, row);
        arg->column += step;
        arg->row += arg->column == arg->inner;
        arg->column %= arg->inner;
    }
    if (arg->row == arg->axis) {
        arg->row = 0;
        arg->out += arg->inner;
    }
    return step;
}

void
kernel_argminmax_feed(struct kernel_argminmax *arg, const void *elements, uint64_t count)
{
    const uint8_t *from = elements;

    while (count > 0) {
        uint64_t step = count < KERNEL_REDUCE_CHUNK ? count : KERNEL_REDUCE_CHUNK;

        tensor_cast(arg->dtype, from, arg->wide, arg->chunk, step);
        for (uint64_t done = 0; done < step;)
            done += feed_some(arg, arg->chunk + done * dtype_size(arg->wide), step - done);
        from += step * dtype_size(arg->dtype);
        count -= step;
    }
}
