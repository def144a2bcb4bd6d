/* Both sides' names are walked together, in the order of their bytes. */
#include "service/saving/checkpoint_diff.h"

#include <inttypes.h>
#include <math.h>

#include "service/saving/checkpoint_diff_parts.h"
#include "service/variable/variable.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

static void
drop_work(struct checkpoint_diff_work *work)
{
    if (work == NULL)
        return;
    store_snapshot_drop(work->snapshot);
    store_lease_drop(work->lease);
    mem_free(work->pairs);
    mem_free(work->parts.list);
    mem_free(work->shared.list);
    mem_free(work->runs.list);
    mem_free(work->small);
    arena_drop(&work->arena);
    mem_free(work);
}

void
checkpoint_diff_drop(struct checkpoint_diff *diff)
{
    drop_work(diff->work);
    mem_free(diff->tensors);
    *diff = (struct checkpoint_diff){.revision = 0};
}

/* --- opening ------------------------------------------------------------------------------- */

static enum err_code
check_spec(const struct checkpoint_diff_spec *spec, struct err *err)
{
    TRY(name_check("checkpoint", spec->name, err));
    if (spec->against != NULL)
        TRY(name_check("checkpoint", spec->against, err));
    if (spec->against_model != NULL)
        TRY(name_check_model(spec->against_model, err));
    if (spec->tensor != NULL && spec->prefix != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'tensor' names one tensor and 'prefix' several: give one of the two");
    if (spec->tensor != NULL)
        TRY(name_check_tensor(bytes_of_text(spec->tensor), err));
    if (spec->prefix != NULL && strlen(spec->prefix) > NAME_TENSOR_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a prefix of %zu bytes, names have at most %d",
                       strlen(spec->prefix), NAME_TENSOR_BYTES_MAX);
    return OK;
}

static enum err_code
keep_text(struct arena *arena, const char *text, const char **out, struct err *err)
{
    *out = NULL;
    if (text == NULL)
        return OK;
    *out = arena_text(arena, bytes_of_text(text), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
find_sides(struct checkpoint_diff *diff, const char *model, const struct checkpoint_diff_spec *spec,
           struct err *err)
{
    struct checkpoint_diff_work *work = diff->work;
    const struct store_view *view = store_snapshot_view(work->snapshot);
    const char *other = spec->against_model != NULL ? spec->against_model : model;
    struct checkpoint_record checkpoint;
    struct model_record record;
    struct usage_record usage;

    TRY(service_find_model(view, model, &record, err));
    TRY(service_find_checkpoint(view, record.id, spec->name, &checkpoint, err));
    work->checkpoint_id = checkpoint.id;
    diff->revision = checkpoint.revision;
    TRY(service_find_model(view, other, &record, err));
    work->against_variables = spec->against == NULL;
    if (work->against_variables) {
        TRY(record_get_usage(view, record.id, &usage, err));
        work->against_id = record.id;
        diff->against_revision = usage.revision;
        return OK;
    }
    TRY(service_find_checkpoint(view, record.id, spec->against, &checkpoint, err));
    work->against_id = checkpoint.id;
    diff->against_revision = checkpoint.revision;
    return OK;
}

enum err_code
checkpoint_diff_open(struct service *service, const char *model,
                     const struct checkpoint_diff_spec *spec, struct checkpoint_diff *out,
                     struct err *err)
{
    AUTO(checkpoint_diff) diff = {.measures = spec->measures};

    TRY(check_spec(spec, err));
    diff.work = mem_zeroed(1, sizeof *diff.work, err);
    if (diff.work == NULL)
        return ERR_NO_MEMORY;
    diff.work->service = service;
    arena_init(&diff.work->arena, SIZE_MAX / 2);
    TRY(keep_text(&diff.work->arena, spec->tensor, &diff.work->tensor, err));
    TRY(keep_text(&diff.work->arena, spec->prefix, &diff.work->prefix, err));
    TRY(keep_text(&diff.work->arena, spec->name, &diff.work->checkpoint, err));
    TRY(store_snapshot_open(service->store, &diff.work->snapshot, err));
    TRY(find_sides(&diff, model, spec, err));
    *out = TAKE(diff);
    return OK;
}

/* --- names --------------------------------------------------------------------------------- */

/* One side, walked in name order: the tensor it stands at. Owned: diff_side_drop. */
struct diff_side {
    struct store_cursor *cursor; /* NULL: it has none */
    bool variables, found;
    bool saved_by_default; /* a variable in the default collection */
    struct bytes name;
    struct tensor_type type;
    struct value_ref value;
};

static void
diff_side_drop(struct diff_side *side)
{
    store_cursor_drop(side->cursor);
}

static enum err_code
side_open(struct diff_side *side, const struct checkpoint_diff_work *work, bool against,
          struct err *err)
{
    const struct store_view *view = store_snapshot_view(work->snapshot);
    const char *begin = work->tensor != NULL ? work->tensor : work->prefix;
    struct record_key prefix;

    begin = begin != NULL ? begin : "";
    side->variables = against && work->against_variables;
    if (side->variables && strlen(begin) > NAME_BYTES_MAX)
        return OK;
    prefix = side->variables ? record_key_variable(work->against_id, begin)
                             : record_key_tensor(against ? work->against_id : work->checkpoint_id,
                                                 bytes_of_text(begin));
    return store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &side->cursor,
                             err);
}

static enum err_code
take_variable(struct diff_side *side, struct bytes record, struct err *err)
{
    struct variable_record variable;

    TRY(record_decode_variable(record, &variable, err));
    side->type = variable.type;
    side->value = variable.value;
    side->saved_by_default =
        record_texts_hold(&variable.collections, bytes_of_text(VARIABLE_COLLECTION_GLOBAL));
    return OK;
}

static enum err_code
take_tensor(struct diff_side *side, struct bytes record, struct err *err)
{
    struct tensor_record tensor;

    TRY(record_decode_tensor(record, &tensor, err));
    side->type = tensor.type;
    side->value = tensor.value;
    return OK;
}

/* On to the next tensor that has a value. */
static enum err_code
side_next(struct diff_side *side, const struct checkpoint_diff_work *work, struct err *err)
{
    struct bytes key, record;

    side->found = false;
    while (side->cursor != NULL) {
        TRY(store_cursor_next(side->cursor, &side->found, &key, &record, err));
        if (!side->found)
            return OK;
        side->name = record_key_name(key);
        if (work->tensor != NULL && side->name.size != strlen(work->tensor)) {
            side->found = false;
            return OK;
        }
        TRY(side->variables ? take_variable(side, record, err) : take_tensor(side, record, err));
        if (side->value.kind != VALUE_NONE)
            return OK;
    }
    return OK;
}

/* As memcmp. A side that is at its end comes last. */
static int
compare_sides(const struct diff_side *a, const struct diff_side *b)
{
    size_t size = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order;

    if (!a->found || !b->found)
        return a->found ? -1 : 1;
    order = memcmp(a->name.data, b->name.data, size);
    if (order != 0)
        return order;
    return a->name.size < b->name.size ? -1 : a->name.size > b->name.size;
}

static enum err_code
add_tensor(struct checkpoint_diff *diff, const struct diff_side *a, const struct diff_side *b,
           struct err *err)
{
    const struct bytes name = a != NULL ? a->name : b->name;
    struct checkpoint_tensor_diff tensor = {.status = CHECKPOINT_TENSOR_SAME};
    struct checkpoint_tensor_diff *tensors;
    enum err_code code;
    const char *text;

    TRY(service_check_interrupt(diff->work->service, err));
    tensors =
        mem_grown(diff->tensors, diff->tensor_count, &diff->tensor_capacity, sizeof *tensors, err);
    if (tensors == NULL)
        return ERR_NO_MEMORY;
    diff->tensors = tensors;
    text = arena_text(&diff->work->arena, name, err);
    if (text == NULL)
        return ERR_NO_MEMORY;
    tensor.name = bytes_of(text, name.size);
    if (a != NULL) {
        tensor.type = a->type;
        tensor.size = a->value.size;
    }
    if (b != NULL) {
        tensor.against_type = b->type;
        tensor.against_size = b->value.size;
    }
    if (a == NULL || b == NULL)
        tensor.status = a != NULL ? CHECKPOINT_TENSOR_ADDED : CHECKPOINT_TENSOR_REMOVED;
    diff->tensors[diff->tensor_count++] = tensor;
    if (a == NULL || b == NULL)
        return OK;
    code = checkpoint_diff_pair(diff, diff->tensor_count - 1,
                                (struct diff_values){&a->value, &b->value}, err);
    if (code == ERR_DATA_LOSS)
        err_about(err, "tensor", text);
    return code;
}

static enum err_code
walk(struct checkpoint_diff *diff, struct err *err)
{
    const struct checkpoint_diff_work *work = diff->work;
    AUTO(diff_side) a = {.cursor = NULL};
    AUTO(diff_side) b = {.cursor = NULL};

    TRY(side_open(&a, work, false, err));
    TRY(side_open(&b, work, true, err));
    TRY(side_next(&a, work, err));
    TRY(side_next(&b, work, err));
    while (a.found || b.found) {
        int order = compare_sides(&a, &b);

        if (order <= 0 || !b.variables || b.saved_by_default)
            TRY(add_tensor(diff, order <= 0 ? &a : NULL, order >= 0 ? &b : NULL, err));
        if (order <= 0)
            TRY(side_next(&a, work, err));
        if (order >= 0)
            TRY(side_next(&b, work, err));
    }
    if (work->tensor == NULL || diff->tensor_count > 0)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND,
                  "Key %s not found in checkpoint '%s', nor in what it is compared with",
                  work->tensor, work->checkpoint);
    err_about(err, "tensor", work->tensor);
    return ERR_NOT_FOUND;
}

/* --- results ------------------------------------------------------------------------------- */

static void
add_up(struct checkpoint_diff *diff)
{
    struct checkpoint_diff_totals *totals = &diff->totals;

    totals->measured = diff->measures != CHECKPOINT_MEASURE_NONE;
    for (size_t i = 0; i < diff->tensor_count; i++) {
        const struct checkpoint_tensor_diff *tensor = &diff->tensors[i];

        totals->tensors[tensor->status]++;
        totals->compared_bytes += tensor->compared_bytes;
        totals->norm_bytes += tensor->norm_bytes;
        if (tensor->status != CHECKPOINT_TENSOR_CHANGED)
            continue;
        totals->changed_bytes += tensor->changed_bytes;
        totals->unshared_bytes += tensor->unshared_bytes;
        if (tensor->measured)
            kernel_difference_add(&totals->sums, &tensor->sums);
        else if (tensor->counted)
            totals->sums.changed += tensor->sums.changed;
    }
}

enum err_code
checkpoint_diff_run(struct checkpoint_diff *diff, struct err *err)
{
    CHECK(diff->work != NULL && diff->work->snapshot != NULL);
    TRY(store_lease_open(diff->work->service->store, &diff->work->lease, err));
    TRY(walk(diff, err));
    store_snapshot_drop(TAKE(diff->work->snapshot));
    TRY(checkpoint_diff_compare(diff, err));
    store_lease_drop(TAKE(diff->work->lease));
    add_up(diff);
    return OK;
}

double
checkpoint_diff_l2(const struct kernel_difference *sums)
{
    return sqrt(sums->squares);
}

double
checkpoint_diff_relative_l2(const struct kernel_difference *sums)
{
    if (sums->squares > 0 || isnan(sums->squares))
        return sqrt(sums->squares) / sqrt(sums->b_squares);
    return 0;
}

bool
checkpoint_diff_cosine(const struct kernel_difference *sums, double *out)
{
    double cosine;

    if (!(sums->a_squares != 0 && sums->b_squares != 0))
        return false;
    cosine = sums->products / (sqrt(sums->a_squares) * sqrt(sums->b_squares));
    if (cosine > 1)
        cosine = 1;
    if (cosine < -1)
        cosine = -1;
    *out = cosine;
    return true;
}
