/* A value is cut into parts of whole blocks, whoever works on them; their results are put together
 * pairwise by their places. */
#include "service/watch/statistics.h"

#include "service/state.h"
#include "service/tensor/quantile.h"
#include "service/variable/tensor_runs.h"
#include "service/watch/statistics_cache.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    BLOCK = KERNEL_STATISTICS_BLOCK,
    PART = 64 * BLOCK, /* elements */
    BATCH = 512,       /* parts; between batches it can be interrupted */
    GATHERED = 256,    /* elements of the sample at once */
    ELEMENT_BYTES_MAX = 16,
    LEVELS = 64,
};

const unsigned char statistics_percents[STATISTICS_PERCENTILES] = {1, 5, 25, 50, 75, 95, 99};

/* Results of parts, put together as soon as two of the same size are neighbours. */
struct tree {
    /* Of 2^level parts, where that bit of `parts` is set. */
    struct kernel_statistics levels[LEVELS];
    uint64_t parts;
};

struct work {
    const struct look *look;
    struct tensor_runs runs;
    enum dtype dtype;
    uint64_t count; /* elements */
    bool repeats;   /* each whole part is as the first one */
    uint64_t stride;
    double *sample;   /* every stride-th element */
    uint64_t sampled; /* how many those are; later: how many of them are finite */
    uint64_t first;   /* part of the batch */
    struct kernel_statistics results[BATCH];
};

static void
work_drop(struct work *work)
{
    tensor_runs_drop(&work->runs);
    mem_free(work->sample);
}

/* --- the pass ------------------------------------------------------------------------------ */

/* Elements [begin, end): whole blocks where they lie, others from a copy. */
static void
take_elements(const struct work *work, uint64_t begin, uint64_t end, struct kernel_statistics *out)
{
    const size_t size = dtype_size(work->dtype);
    _Alignas(64) uint8_t room[BLOCK * ELEMENT_BYTES_MAX];

    *out = (struct kernel_statistics){.count = 0};
    for (uint64_t at = begin, n = 0; at < end; at += n) {
        const struct bytes piece = tensor_runs_at(&work->runs, at * size);
        const uint64_t whole = piece.size / size / BLOCK * BLOCK;

        n = whole > 0 ? whole : BLOCK;
        n = n < end - at ? n : end - at;
        kernel_statistics(
            work->dtype, tensor_runs_bytes(&work->runs, at * size, (size_t)n * size, room), n, out);
    }
}

/* The elements in places [first, first + count) of the sample. */
static void
gather(const struct work *work, uint64_t first, uint64_t count)
{
    const size_t size = dtype_size(work->dtype);
    _Alignas(64) uint8_t elements[GATHERED * ELEMENT_BYTES_MAX];
    uint64_t begin = first * work->stride * size;
    struct bytes piece = tensor_runs_at(&work->runs, begin);

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t offset = (first + i) * work->stride * size;

        if (offset - begin >= piece.size) {
            begin = offset;
            piece = tensor_runs_at(&work->runs, begin);
        }
        memcpy(elements + i * size, piece.data + (offset - begin), size);
    }
    kernel_statistics_widen(work->dtype, elements, count, work->sample + first);
}

static void
gather_from(const struct work *work, uint64_t begin, uint64_t end)
{
    const uint64_t first = (begin + work->stride - 1) / work->stride;
    const uint64_t last = (end + work->stride - 1) / work->stride;

    for (uint64_t at = first, n = 0; at < last; at += n) {
        n = last - at < GATHERED ? last - at : GATHERED;
        gather(work, at, n);
    }
}

static enum err_code
take_part(void *context, uint32_t lane, uint64_t number, struct err *err)
{
    struct work *work = context;
    const uint64_t begin = (work->first + number) * PART;
    const uint64_t end = work->count - begin < PART ? work->count : begin + PART;

    (void)lane;
    (void)err;
    if (!work->repeats || begin == 0 || end - begin < PART)
        take_elements(work, begin, end, &work->results[number]);
    gather_from(work, begin, end);
    return OK;
}

static void
push(struct tree *tree, struct kernel_statistics part)
{
    int level = 0;

    for (; tree->parts >> level & 1; level++) {
        kernel_statistics_add(&tree->levels[level], &part);
        part = tree->levels[level];
    }
    tree->levels[level] = part;
    tree->parts++;
}

/* From the right: what comes first is added to last. */
static struct kernel_statistics
fold(const struct tree *tree)
{
    struct kernel_statistics all = {.count = 0};

    for (int level = 0; level < LEVELS; level++) {
        struct kernel_statistics left;

        if (!(tree->parts >> level & 1))
            continue;
        left = tree->levels[level];
        kernel_statistics_add(&left, &all);
        all = left;
    }
    return all;
}

static enum err_code
take_parts(struct work *work, struct parallel *parallel, struct kernel_statistics *out,
           struct err *err)
{
    const uint64_t parts = (work->count + PART - 1) / PART;
    struct tree tree = {.parts = 0};
    struct kernel_statistics one = {.count = 0};

    for (uint64_t n = 0; work->first < parts; work->first += n) {
        n = parts - work->first < BATCH ? parts - work->first : BATCH;
        TRY(service_check_interrupt(work->look->service, err));
        TRY(parallel_do(parallel, n, take_part, work, err));
        if (work->first == 0)
            one = work->results[0];
        for (uint64_t i = 0; i < n; i++) {
            const bool whole = (work->first + i + 1) * PART <= work->count;

            push(&tree, work->repeats && whole ? one : work->results[i]);
        }
    }
    *out = fold(&tree);
    return OK;
}

/* --- the sample ---------------------------------------------------------------------------- */

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static uint64_t
stride_of(const struct shape *shape, uint64_t count)
{
    const uint64_t columns = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
    uint64_t stride = (count + STATISTICS_SAMPLE_MAX - 1) / STATISTICS_SAMPLE_MAX;

    if (stride <= 1)
        return 1;
    while (common_divisor(stride, columns) > 1 && columns < count)
        stride++;
    return stride;
}

static void
drop_wild(struct work *work)
{
    uint64_t kept = 0;

    for (uint64_t i = 0; i < work->sampled; i++)
        if (work->sample[i] - work->sample[i] == 0) /* neither infinite nor NaN */
            work->sample[kept++] = work->sample[i];
    work->sampled = kept;
}

/* The sample may have missed the least and the greatest. */
static void
take_points(const struct work *work, struct statistics *out)
{
    const bool all = out->exact && work->sampled <= STATISTICS_POINTS;

    out->point_count = all ? (uint32_t)work->sampled : STATISTICS_POINTS;
    for (uint32_t i = 0; i < out->point_count; i++)
        out->points[i] = all ? work->sample[i]
                             : kernel_quantile(work->sample, work->sampled,
                                               (double)i / (double)(STATISTICS_POINTS - 1));
    out->points[0] = out->elements.min;
    out->points[out->point_count - 1] = out->elements.max;
}

/* Of many elements there may be so few finite ones that none is in the sample. */
static void
take_bounds(struct statistics *out)
{
    if (kernel_statistics_finite(&out->elements) == 0)
        return;
    out->point_count = 2;
    out->points[0] = out->elements.min;
    out->points[1] = out->elements.max;
}

static enum err_code
take_quantiles(struct work *work, struct statistics *out, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint64_t *room = NULL;

    drop_wild(work);
    out->sampled = work->sampled;
    out->exact = work->stride == 1;
    if (work->sampled == 0) {
        take_bounds(out);
        return OK;
    }
    room = mem_alloc(2 * (size_t)work->sampled * sizeof *room, err);
    if (room == NULL)
        return ERR_NO_MEMORY;
    kernel_quantile_sort(work->sample, work->sampled, room);
    for (int i = 0; i < STATISTICS_PERCENTILES; i++)
        out->percentiles[i] =
            kernel_quantile(work->sample, work->sampled, (double)statistics_percents[i] / 100);
    take_points(work, out);
    return OK;
}

/* --- all of it ----------------------------------------------------------------------------- */

static enum err_code
take_set(const struct look *look, const struct tensor_set *set, struct parallel *parallel,
         struct statistics *out, struct err *err)
{
    AUTO_CALL(mem_free_scope) struct work *memory = mem_zeroed(1, sizeof *memory, err);
    struct work *work = memory;
    enum err_code code;

    if (work == NULL)
        return ERR_NO_MEMORY;
    work->look = look;
    work->dtype = look->value.type.dtype;
    work->count = shape_count(&look->value.type.shape);
    work->stride = stride_of(&look->value.type.shape, work->count);
    work->sampled = (work->count + work->stride - 1) / work->stride;
    work->sample = mem_zeroed((size_t)work->sampled + 1, sizeof *work->sample, err);
    code = work->sample == NULL ? ERR_NO_MEMORY : tensor_runs_open(set, 0, &work->runs, err);
    work->repeats = code == OK && tensor_runs_repeat(&work->runs);
    if (code == OK)
        code = take_parts(work, parallel, &out->elements, err);
    if (code == OK)
        code = take_quantiles(work, out, err);
    work_drop(work);
    return code;
}

static enum err_code
check_type(const struct tensor_type *type, struct err *err)
{
    if (kernel_statistics_known(type->dtype))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "elements of dtype %s are no numbers: there are no statistics of them",
                   dtype_name(type->dtype));
}

enum err_code
statistics_take_with(struct look *look, struct parallel *parallel, struct statistics *out,
                     struct err *err)
{
    const struct look_value *value = &look->value;
    AUTO(tensor_set) set = {0};

    TRY(check_type(&value->type, err));
    if (statistics_cache_find(look->service->statistics, value, out))
        return OK;
    *out = (struct statistics){.sampled = 0};
    TRY(tensor_set_open(look->service, look->snapshot, false, &set, err));
    TRY(tensor_set_add(&set, look->snapshot, "", 0, &value->type, &value->value, bytes_of(NULL, 0),
                       DTYPE_UNSET, err));
    look_settle(look);
    out->has_crc32c = set.entries[0].has_crc32c;
    out->crc32c = set.entries[0].crc32c;
    TRY(take_set(look, &set, parallel, out, err));
    statistics_cache_keep(look->service->statistics, value, out);
    return OK;
}

enum err_code
statistics_take(struct look *look, struct statistics *out, struct err *err)
{
    return statistics_take_with(look, look->service->parallel, out, err);
}
