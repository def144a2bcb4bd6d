/* What was noted of both sides is compared, on all threads. Parts are those of the values, whoever
 * compares them, and their sums are added in the order of the parts: the result does not depend on
 * how many threads there are. */
#include "service/saving/checkpoint_diff_parts.h"

#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { BATCH_PARTS = 512 };

/* What a thread makes gaps in: a chunk of either side. */
struct diff_lane {
    uint8_t *made; /* owned */
};

struct diff_lanes {
    struct diff_lane *list; /* owned */
    uint32_t count;
};

static void
diff_lanes_drop(struct diff_lanes *lanes)
{
    for (uint32_t i = 0; lanes->list != NULL && i < lanes->count; i++)
        mem_free(lanes->list[i].made);
    mem_free(lanes->list);
}

/* Some parts that follow each other. */
struct batch {
    const struct checkpoint_diff *diff;
    const struct diff_part *parts;
    struct diff_lane *lanes;
    bool shared;                                   /* each part's sides are one */
    struct kernel_difference results[BATCH_PARTS]; /* by part */
    bool read[BATCH_PARTS];                        /* false: there was no need to */
};

static enum err_code
make_gap(const struct batch *batch, const struct value_head *head, const struct diff_part *part,
         uint8_t *out, struct err *err)
{
    return value_gap_fill(batch->diff->work->service->store, head, part->offset, part->size, out,
                          err);
}

static enum err_code
make_gaps(const struct batch *batch, struct diff_lane *lane, struct diff_part *part,
          struct err *err)
{
    const struct diff_pair *pair = &batch->diff->work->pairs[part->pair];

    if (part->a != NULL && part->b != NULL)
        return OK;
    if (lane->made == NULL)
        lane->made = mem_aligned(2 * (size_t)STORE_BULK_BYTES, err);
    if (lane->made == NULL)
        return ERR_NO_MEMORY;
    if (part->a == NULL) {
        TRY(make_gap(batch, pair->a_head, part, lane->made, err));
        part->a = lane->made;
        if (batch->shared)
            part->b = part->a;
    }
    if (part->b == NULL) {
        TRY(make_gap(batch, pair->b_head, part, lane->made + STORE_BULK_BYTES, err));
        part->b = lane->made + STORE_BULK_BYTES;
    }
    return OK;
}

/* Of what both share nothing needs to be known unless something else has changed; and when that is
 * all that is wanted, no more than that. */
static bool
is_wanted(const struct batch *batch, const struct checkpoint_tensor_diff *tensor)
{
    const bool changed = tensor->status == CHECKPOINT_TENSOR_CHANGED;

    if (batch->shared)
        return changed;
    return !changed || batch->diff->measures != CHECKPOINT_MEASURE_NONE;
}

static enum err_code
compare_part(void *context, uint32_t lane, uint64_t number, struct err *err)
{
    struct batch *batch = context;
    const struct checkpoint_diff *diff = batch->diff;
    struct diff_part part = batch->parts[number];
    const struct checkpoint_tensor_diff *tensor =
        &diff->tensors[diff->work->pairs[part.pair].tensor];

    batch->results[number] = (struct kernel_difference){0};
    batch->read[number] = is_wanted(batch, tensor);
    if (!batch->read[number])
        return OK;
    TRY(make_gaps(batch, &batch->lanes[lane], &part, err));
    checkpoint_diff_elements(tensor->type.dtype, diff->measures, part.a, part.b, part.size,
                             &batch->results[number]);
    return OK;
}

static void
add_result(struct checkpoint_diff *diff, const struct batch *batch, size_t number)
{
    const struct diff_part *part = &batch->parts[number];
    struct checkpoint_tensor_diff *tensor = &diff->tensors[diff->work->pairs[part->pair].tensor];

    if (!batch->read[number])
        return;
    if (batch->shared)
        tensor->norm_bytes += part->size;
    else
        tensor->compared_bytes += part->size;
    if (!batch->shared && batch->results[number].changed > 0)
        tensor->status = CHECKPOINT_TENSOR_CHANGED;
    kernel_difference_add(&tensor->sums, &batch->results[number]);
}

static enum err_code
compare_parts(struct checkpoint_diff *diff, const struct diff_parts *parts,
              struct diff_lanes *lanes, bool shared, struct err *err)
{
    struct service *service = diff->work->service;
    AUTO_CALL(mem_free_scope) struct batch *batch = mem_alloc(sizeof *batch, err);

    if (batch == NULL)
        return ERR_NO_MEMORY;
    batch->diff = diff;
    batch->lanes = lanes->list;
    batch->shared = shared;
    for (size_t done = 0, n = 0; done < parts->count; done += n) {
        n = parts->count - done < BATCH_PARTS ? parts->count - done : BATCH_PARTS;
        batch->parts = parts->list + done;
        TRY(service_check_interrupt(service, err));
        TRY(parallel_do(service->parallel, n, compare_part, batch, err));
        for (size_t i = 0; i < n; i++)
            add_result(diff, batch, i);
    }
    return OK;
}

/* --- strings ------------------------------------------------------------------------------- */

static enum err_code
compare_string_pair(void *context, uint32_t lane, uint64_t number, struct err *err)
{
    struct checkpoint_diff *diff = context;
    const struct diff_pair *pair = &diff->work->pairs[number];

    (void)lane;
    if (!pair->strings)
        return OK;
    TRY(service_check_interrupt(diff->work->service, err));
    return checkpoint_diff_strings(diff, pair, &diff->tensors[pair->tensor], err);
}

static void
finish(struct checkpoint_diff *diff)
{
    for (size_t i = 0; i < diff->tensor_count; i++) {
        struct checkpoint_tensor_diff *tensor = &diff->tensors[i];
        enum dtype dtype = tensor->type.dtype;

        tensor->counted = tensor->status == CHECKPOINT_TENSOR_CHANGED && tensor->alike &&
                          diff->measures != CHECKPOINT_MEASURE_NONE;
        tensor->measured = tensor->counted && kernel_difference_known(dtype);
        if (tensor->counted && dtype != DTYPE_STRING)
            tensor->changed_bytes = tensor->sums.changed * dtype_size(dtype);
    }
}

enum err_code
checkpoint_diff_compare(struct checkpoint_diff *diff, struct err *err)
{
    struct checkpoint_diff_work *work = diff->work;
    AUTO(diff_lanes) lanes = {.count = parallel_threads(work->service->parallel)};

    lanes.list = mem_zeroed(lanes.count, sizeof *lanes.list, err);
    if (lanes.list == NULL)
        return ERR_NO_MEMORY;
    TRY(compare_parts(diff, &work->parts, &lanes, false, err));
    TRY(compare_parts(diff, &work->shared, &lanes, true, err));
    if (work->runs.count > 0)
        TRY(parallel_do(work->service->parallel, work->pair_count, compare_string_pair, diff, err));
    finish(diff);
    return OK;
}
