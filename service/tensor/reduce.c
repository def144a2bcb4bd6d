/* The fast path of reductions: chunks are widened, then folded run by run in vectorised loops. */
#include "service/tensor/reduce.h"

#include <math.h>
#include <string.h>

#include "service/tensor/convert.h"
#include "service/tensor/kernels_complex.h"
#include "service/tensor/vector.h"
#include "store/base/alloc.h"
#include "store/base/check.h"

VECTOR_FILE

enum {
    LANES = KERNEL_REDUCE_LANES,
    CHUNK = KERNEL_REDUCE_CHUNK,
    SHORT_RUN = 2 * LANES, /* shorter ones are folded one after the other */
};

/* --- folds --------------------------------------------------------------------------------- */

struct fold {
    void (*each)(void *into, const void *from, uint64_t count);   /* place by place */
    void (*run)(void *into, const void *from, uint64_t count);    /* all into one */
    void (*lanes)(void *into, const void *from, uint64_t blocks); /* place by place of LANES */
};

#define FOLD(name, type, expression)                                                               \
    VECTOR_CLONES static void name##_each(void *into, const void *from, uint64_t count)            \
    {                                                                                              \
        const type *elements = from;                                                               \
        type *results = into;                                                                      \
                                                                                                   \
        VECTOR_LOOP                                                                                \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            type a = results[i], b = elements[i];                                                  \
                                                                                                   \
            results[i] = expression;                                                               \
        }                                                                                          \
    }                                                                                              \
    static void name##_run(void *into, const void *from, uint64_t count)                           \
    {                                                                                              \
        const type *elements = from;                                                               \
        type a = *(type *)into;                                                                    \
                                                                                                   \
        for (uint64_t i = 0; i < count; i++) {                                                     \
            type b = elements[i];                                                                  \
                                                                                                   \
            a = expression;                                                                        \
        }                                                                                          \
        *(type *)into = a;                                                                         \
    }                                                                                              \
    VECTOR_CLONES static void name##_lanes(void *into, const void *from, uint64_t blocks)          \
    {                                                                                              \
        const type *elements = from;                                                               \
        type lanes[LANES];                                                                         \
                                                                                                   \
        memcpy(lanes, into, sizeof lanes);                                                         \
        for (uint64_t i = 0; i < blocks; i++)                                                      \
            for (uint64_t k = 0; k < LANES; k++) {                                                 \
                type a = lanes[k], b = elements[i * LANES + k];                                    \
                                                                                                   \
                lanes[k] = expression;                                                             \
            }                                                                                      \
        memcpy(into, lanes, sizeof lanes);                                                         \
    }

FOLD(sum_double, double, a + b)
FOLD(prod_double, double, a *b)
FOLD(min_double, double, a < b || a != a ? a : b)
FOLD(max_double, double, a > b || a != a ? a : b)
FOLD(sum_uint64, uint64_t, a + b)
FOLD(prod_uint64, uint64_t, a *b)
FOLD(min_uint64, uint64_t, a < b ? a : b)
FOLD(max_uint64, uint64_t, a > b ? a : b)
FOLD(min_int64, int64_t, a < b ? a : b)
FOLD(max_int64, int64_t, a > b ? a : b)
FOLD(sum_complex, struct kernel_complex128, kernel_complex128_add(a, b))
FOLD(prod_complex, struct kernel_complex128, kernel_complex128_multiply(a, b))

#define ROW(name)                                                                                  \
    {                                                                                              \
        name##_each, name##_run, name##_lanes                                                      \
    }

static const struct fold double_folds[KERNEL_REDUCE_COUNT] = {
    [KERNEL_REDUCE_SUM] = ROW(sum_double),
    [KERNEL_REDUCE_PROD] = ROW(prod_double),
    [KERNEL_REDUCE_MIN] = ROW(min_double),
    [KERNEL_REDUCE_MAX] = ROW(max_double),
};
static const struct fold uint64_folds[KERNEL_REDUCE_COUNT] = {
    [KERNEL_REDUCE_SUM] = ROW(sum_uint64),
    [KERNEL_REDUCE_PROD] = ROW(prod_uint64),
    [KERNEL_REDUCE_MIN] = ROW(min_uint64),
    [KERNEL_REDUCE_MAX] = ROW(max_uint64),
};
/* Two's complement: sums and products are those of unsigned numbers. */
static const struct fold int64_folds[KERNEL_REDUCE_COUNT] = {
    [KERNEL_REDUCE_SUM] = ROW(sum_uint64),
    [KERNEL_REDUCE_PROD] = ROW(prod_uint64),
    [KERNEL_REDUCE_MIN] = ROW(min_int64),
    [KERNEL_REDUCE_MAX] = ROW(max_int64),
};
static const struct fold complex_folds[KERNEL_REDUCE_COUNT] = {
    [KERNEL_REDUCE_SUM] = ROW(sum_complex),
    [KERNEL_REDUCE_PROD] = ROW(prod_complex),
};

static const struct fold *
fold_of(const struct kernel_reduction *r)
{
    if (r->wide == DTYPE_FLOAT64)
        return &double_folds[r->kind];
    if (r->wide == DTYPE_COMPLEX128)
        return &complex_folds[r->kind];
    return r->wide == DTYPE_INT64 ? &int64_folds[r->kind] : &uint64_folds[r->kind];
}

/* --- widening ------------------------------------------------------------------------------ */

enum dtype
kernel_reduce_wide(enum dtype dtype, enum kernel_reduce_map map)
{
    enum dtype_kind kind = dtype_info(dtype)->kind;

    if (kind == DTYPE_KIND_COMPLEX)
        return map == KERNEL_REDUCE_PLAIN ? DTYPE_COMPLEX128 : DTYPE_FLOAT64;
    if (kind == DTYPE_KIND_FLOAT)
        return DTYPE_FLOAT64;
    return kind == DTYPE_KIND_SIGNED ? DTYPE_INT64 : DTYPE_UINT64;
}

static void
map_doubles(enum kernel_reduce_map map, double *values, uint64_t count)
{
    if (map == KERNEL_REDUCE_ABS)
        for (uint64_t i = 0; i < count; i++)
            values[i] = fabs(values[i]);
    else
        for (uint64_t i = 0; i < count; i++)
            values[i] *= values[i];
}

/* Into the front half of where they stand. */
static void
map_complex(enum kernel_reduce_map map, double *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double re = values[2 * i], im = values[2 * i + 1];

        values[i] = map == KERNEL_REDUCE_ABS ? hypot(re, im) : re * re + im * im;
    }
}

static void
widen(const struct kernel_reduction *r, const void *elements, uint64_t count)
{
    if (r->map == KERNEL_REDUCE_PLAIN) {
        tensor_cast(r->dtype, elements, r->wide, r->chunk, count);
        return;
    }
    if (dtype_info(r->dtype)->kind == DTYPE_KIND_COMPLEX) {
        tensor_cast(r->dtype, elements, DTYPE_COMPLEX128, r->chunk, count);
        map_complex(r->map, (double *)(void *)r->chunk, count);
        return;
    }
    tensor_cast(r->dtype, elements, DTYPE_FLOAT64, r->chunk, count);
    map_doubles(r->map, (double *)(void *)r->chunk, count);
}

/* --- making -------------------------------------------------------------------------------- */

/* Returns the number of results. */
static uint64_t
group(const struct shape *shape, uint32_t axes, struct kernel_reduction *r)
{
    uint64_t stride = 1;

    for (uint32_t i = shape->rank; i-- > 0;) {
        struct kernel_reduce_group *last = &r->groups[r->group_count - (r->group_count > 0)];
        bool reduced = (axes >> i & 1) != 0;

        if (shape->dims[i] == 1)
            continue;
        if (r->group_count > 0 && (last->stride == 0) == reduced)
            last->count *= shape->dims[i];
        else
            r->groups[r->group_count++] = (struct kernel_reduce_group){
                .count = shape->dims[i], .stride = reduced ? 0 : stride};
        stride *= reduced ? 1 : shape->dims[i];
    }
    if (r->group_count == 0)
        r->groups[r->group_count++] = (struct kernel_reduce_group){.count = 1, .stride = 1};
    return stride;
}

static void
integer_start(const struct kernel_reduction *r, uint8_t *element)
{
    uint32_t bits = r->dtype == DTYPE_BOOL ? 1 : dtype_size(r->dtype) * 8;
    bool greatest = r->kind == KERNEL_REDUCE_MIN;
    uint64_t value = r->kind == KERNEL_REDUCE_PROD ? 1 : 0;

    if (r->kind == KERNEL_REDUCE_MIN || r->kind == KERNEL_REDUCE_MAX) {
        if (r->wide == DTYPE_UINT64)
            value = greatest ? UINT64_MAX >> (64 - bits) : 0;
        else
            value = greatest ? UINT64_MAX >> (65 - bits) : ~(UINT64_MAX >> (65 - bits));
    }
    memcpy(element, &value, sizeof value);
}

/* The result of no elements. */
static void
set_start(struct kernel_reduction *r)
{
    static const double starts[KERNEL_REDUCE_COUNT] = {0, 1, HUGE_VAL, -HUGE_VAL};

    memset(r->start, 0, sizeof r->start);
    if (r->wide == DTYPE_FLOAT64 || r->wide == DTYPE_COMPLEX128)
        memcpy(r->start, &starts[r->kind], sizeof starts[0]);
    else
        integer_start(r, r->start);
}

static void
start_many(const struct kernel_reduction *r, uint8_t *out, uint64_t count)
{
    uint32_t size = dtype_size(r->wide);

    for (uint64_t i = 0; i < count; i++)
        memcpy(out + i * size, r->start, size);
}

/* While complex elements are mapped to real ones a chunk holds both parts. */
static uint64_t
chunk_bytes(void)
{
    return (uint64_t)CHUNK * KERNEL_REDUCE_WIDE_BYTES_MAX;
}

uint64_t
kernel_reduction_bytes(const struct tensor_type *type, uint32_t axes, enum kernel_reduce_map map)
{
    struct kernel_reduction r = {0};

    return group(&type->shape, axes, &r) * dtype_size(kernel_reduce_wide(type->dtype, map)) +
           chunk_bytes();
}

enum err_code
kernel_reduction_init(struct kernel_reduction *out, enum kernel_reduce kind,
                      enum kernel_reduce_map map, const struct tensor_type *type, uint32_t axes,
                      struct err *err)
{
    struct kernel_reduction r = {.kind = kind, .map = map, .dtype = type->dtype};

    r.wide = kernel_reduce_wide(type->dtype, map);
    CHECK(r.wide != DTYPE_COMPLEX128 || kind == KERNEL_REDUCE_SUM || kind == KERNEL_REDUCE_PROD);
    r.result_count = group(&type->shape, axes, &r);
    set_start(&r);
    start_many(&r, r.lanes, LANES);
    r.chunk = mem_aligned((size_t)chunk_bytes(), err);
    if (r.chunk == NULL)
        return ERR_NO_MEMORY;
    r.results = mem_aligned((size_t)r.result_count * dtype_size(r.wide), err);
    if (r.results == NULL) {
        mem_free(r.chunk);
        return ERR_NO_MEMORY;
    }
    start_many(&r, r.results, r.result_count);
    *out = r;
    return OK;
}

void
kernel_reduction_drop(struct kernel_reduction *r)
{
    mem_free(r->results);
    mem_free(r->chunk);
    r->results = r->chunk = NULL;
}

/* --- feeding ------------------------------------------------------------------------------- */

/* The sums of a run become one, pairwise, and start anew. */
static void
gather_lanes(struct kernel_reduction *r, const struct fold *fold, uint8_t *result)
{
    uint32_t size = dtype_size(r->wide);

    for (uint32_t half = LANES / 2; half > 0; half /= 2)
        fold->each(r->lanes, r->lanes + half * size, half);
    fold->run(result, r->lanes, 1);
    start_many(r, r->lanes, LANES);
}

/* Elements of one run, from its place `at` on. */
static void
feed_lanes(struct kernel_reduction *r, const struct fold *fold, const uint8_t *elements,
           uint64_t count)
{
    uint32_t size = dtype_size(r->wide);
    uint64_t lane = r->at[0] % LANES, head = lane == 0 ? 0 : LANES - lane, blocks;

    head = head < count ? head : count;
    fold->each(r->lanes + lane * size, elements, head);
    elements += head * size;
    count -= head;
    blocks = count / LANES;
    fold->lanes(r->lanes, elements, blocks);
    fold->each(r->lanes, elements + blocks * LANES * size, count % LANES);
}

/* The innermost run is over: on to the next. */
static void
next_run(struct kernel_reduction *r)
{
    r->at[0] = 0;
    for (uint32_t i = 1; i < r->group_count; i++) {
        r->result += r->groups[i].stride;
        if (++r->at[i] < r->groups[i].count)
            return;
        r->result -= r->groups[i].stride * r->groups[i].count;
        r->at[i] = 0;
    }
}

static void
feed_chunk(struct kernel_reduction *r, const struct fold *fold, uint64_t count)
{
    const struct kernel_reduce_group *inner = &r->groups[0];
    uint32_t size = dtype_size(r->wide);
    const uint8_t *from = r->chunk;

    while (count > 0) {
        uint64_t left = inner->count - r->at[0], step = left < count ? left : count;
        uint8_t *result = r->results + r->result * size;
        bool lanes = inner->stride == 0 && inner->count >= SHORT_RUN;

        if (inner->stride != 0)
            fold->each(result + r->at[0] * size, from, step);
        else if (lanes)
            feed_lanes(r, fold, from, step);
        else
            fold->run(result, from, step);
        r->at[0] += step;
        from += step * size;
        count -= step;
        if (step < left)
            continue;
        if (lanes)
            gather_lanes(r, fold, result);
        next_run(r);
    }
}

void
kernel_reduction_feed(struct kernel_reduction *r, const void *elements, uint64_t count)
{
    const struct fold *fold = fold_of(r);
    const uint8_t *from = elements;

    while (count > 0) {
        uint64_t step = count < CHUNK ? count : CHUNK;

        widen(r, from, step);
        feed_chunk(r, fold, step);
        from += step * dtype_size(r->dtype);
        count -= step;
    }
}

void
kernel_reduction_finish(const struct kernel_reduction *r, enum dtype dtype, void *out)
{
    tensor_cast(r->wide, r->results, dtype, out, r->result_count);
}
