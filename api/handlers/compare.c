/* Checkpoints compared with each other, and with what was once written. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/guard/caller.h"
#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/resource/describe.h"
#include "service/saving/checkpoint_diff.h"
#include "service/saving/checkpoint_verify.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

#define AGAINST_VARIABLES "current"

static const char *const measure_names[] = {
    [CHECKPOINT_MEASURE_NONE] = "none",
    [CHECKPOINT_MEASURE_DIFFERENCE] = "difference",
    [CHECKPOINT_MEASURE_ALL] = "all",
};
enum { MEASURES = sizeof measure_names / sizeof measure_names[0] };

static const char *const status_names[CHECKPOINT_TENSOR_STATUSES] = {
    [CHECKPOINT_TENSOR_SAME] = "same",
    [CHECKPOINT_TENSOR_CHANGED] = "changed",
    [CHECKPOINT_TENSOR_ADDED] = "added",
    [CHECKPOINT_TENSOR_REMOVED] = "removed",
};

/* --- what is asked for --------------------------------------------------------------------- */

/* NULL when it is not given. */
static enum err_code
query_text(struct api_request *rq, const char *name, const char **out, struct err *err)
{
    TRY(api_request_query_copy(rq, name, out, err));
    if (*out != NULL && **out == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT, "query argument '%s' is empty", name);
    return OK;
}

static enum err_code
query_measures(struct api_request *rq, enum checkpoint_measures *out, struct err *err)
{
    unsigned measures = CHECKPOINT_MEASURE_ALL;

    TRY(api_request_query_word(rq, "measures", measure_names, MEASURES, CHECKPOINT_MEASURE_ALL,
                               &measures, err));
    *out = (enum checkpoint_measures)measures;
    return OK;
}

static enum err_code
read_spec(struct api_request *rq, struct checkpoint_diff_spec *out, struct err *err)
{
    *out = (struct checkpoint_diff_spec){.name = api_request_name(rq)};
    TRY(query_text(rq, "against", &out->against, err));
    if (out->against == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "query argument 'against' is missing: a checkpoint's name, or "
                       "'" AGAINST_VARIABLES "' for the variables as they are");
    if (strcmp(out->against, AGAINST_VARIABLES) == 0)
        out->against = NULL;
    TRY(query_text(rq, "model", &out->against_model, err));
    TRY(api_caller_check_model(rq, out->against_model, err));
    TRY(query_text(rq, "tensor", &out->tensor, err));
    TRY(query_text(rq, "prefix", &out->prefix, err));
    return query_measures(rq, &out->measures, err);
}

/* --- what is told -------------------------------------------------------------------------- */

static json_t *
json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* How far apart; `related`: also in relation to all there is. */
static enum err_code
set_sums(json_t *json, const struct kernel_difference *sums, bool related, struct err *err)
{
    json_t *relative = NULL, *direction = NULL;
    double cosine = 0;

    TRY(api_json_set(json, "max_abs", api_json_real(sums->max_abs), err));
    TRY(api_json_set(json, "l2", api_json_real(checkpoint_diff_l2(sums)), err));
    TRY(api_json_set(json, "nonfinite_count", json_u64(sums->nonfinite), err));
    if (!related)
        return OK;
    relative = api_json_real(checkpoint_diff_relative_l2(sums));
    TRY(api_json_set(json, "relative_l2", relative, err));
    direction = checkpoint_diff_cosine(sums, &cosine) ? api_json_real(cosine) : json_null();
    return api_json_set(json, "cosine", direction, err);
}

static enum err_code
set_type(json_t *json, const char *const keys[3], const struct tensor_type *type, uint64_t size,
         struct err *err)
{
    json_t *shape = NULL;

    TRY(api_json_set(json, keys[0], json_string(dtype_name(type->dtype)), err));
    TRY(api_describe_shape(&type->shape, &shape, err));
    TRY(api_json_set(json, keys[1], shape, err));
    return api_json_set(json, keys[2], json_u64(size), err);
}

static enum err_code
describe_tensor(const struct checkpoint_tensor_diff *tensor, json_t **out, struct err *err)
{
    static const char *const keys[] = {"dtype", "shape", "bytes"}, *const other_keys[] = {
                                                                       "against_dtype",
                                                                       "against_shape",
                                                                       "against_bytes"};
    const bool removed = tensor->status == CHECKPOINT_TENSOR_REMOVED;
    const bool changed = tensor->status == CHECKPOINT_TENSOR_CHANGED;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_stringn((const char *)tensor->name.data, tensor->name.size),
                     err));
    TRY(api_json_set(json, "status", json_string(status_names[tensor->status]), err));
    TRY(set_type(json, keys, removed ? &tensor->against_type : &tensor->type,
                 removed ? tensor->against_size : tensor->size, err));
    if (changed && (!tensor->alike || tensor->size != tensor->against_size))
        TRY(set_type(json, other_keys, &tensor->against_type, tensor->against_size, err));
    if (changed)
        TRY(api_json_set(json, "stored_changed_bytes", json_u64(tensor->unshared_bytes), err));
    if (tensor->counted) {
        TRY(api_json_set(json, "changed_count", json_u64(tensor->sums.changed), err));
        TRY(api_json_set(json, "changed_bytes", json_u64(tensor->changed_bytes), err));
    }
    if (tensor->measured)
        TRY(set_sums(json, &tensor->sums, tensor->related, err));
    *out = TAKE(json);
    return OK;
}

/* Those of the page, in name order. */
static enum err_code
push_tensors(const struct checkpoint_diff *diff, bool changed_only, struct api_page *page,
             struct err *err)
{
    struct bytes after = bytes_of_text(page->after != NULL ? page->after : "");
    size_t pushed = 0;

    for (size_t i = 0; i < diff->tensor_count; i++) {
        const struct checkpoint_tensor_diff *tensor = &diff->tensors[i];
        json_t *json = NULL;

        if ((changed_only && tensor->status == CHECKPOINT_TENSOR_SAME) ||
            bytes_compare(tensor->name, after) <= 0)
            continue;
        page->more = pushed == page->size;
        if (page->more)
            return OK;
        TRY(describe_tensor(tensor, &json, err));
        TRY(api_page_push(page, json, (const char *)tensor->name.data, err));
        pushed++;
    }
    return OK;
}

static enum err_code
set_totals(json_t *json, const struct checkpoint_diff_totals *totals, struct err *err)
{
    for (int i = 0; i < CHECKPOINT_TENSOR_STATUSES; i++)
        TRY(api_json_set(json, status_names[i], json_u64(totals->tensors[i]), err));
    TRY(api_json_set(json, "stored_changed_bytes", json_u64(totals->unshared_bytes), err));
    TRY(api_json_set(json, "compared_bytes", json_u64(totals->compared_bytes), err));
    TRY(api_json_set(json, "norm_bytes", json_u64(totals->norm_bytes), err));
    if (!totals->measured)
        return OK;
    TRY(api_json_set(json, "changed_count", json_u64(totals->sums.changed), err));
    TRY(api_json_set(json, "changed_bytes", json_u64(totals->changed_bytes), err));
    return set_sums(json, &totals->sums, false, err);
}

static enum err_code
describe_diff(struct api_request *rq, const struct checkpoint_diff_spec *spec,
              const struct checkpoint_diff *diff, struct api_page *page, json_t **out,
              struct err *err)
{
    const uint64_t *tensors = diff->totals.tensors;
    const char *model = api_request_model(rq), *other = spec->against_model;
    const bool identical = tensors[CHECKPOINT_TENSOR_SAME] == diff->tensor_count;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "model", model, "checkpoint",
                                spec->name, "against_model", other != NULL ? other : model,
                                "against",
                                spec->against != NULL ? spec->against : AGAINST_VARIABLES,
                                "revision", (json_int_t)diff->revision, "against_revision",
                                (json_int_t)diff->against_revision),
                      &json, err));
    TRY(api_json_set(json, "measures", json_string(measure_names[diff->measures]), err));
    TRY(api_json_set(json, "identical", json_boolean(identical), err));
    TRY(set_totals(json, &diff->totals, err));
    TRY(api_json_set(json, "tensors", json_incref(page->items), err));
    TRY(api_json_set(json, "next_page_token", page->more ? json_string(page->last) : json_null(),
                     err));
    *out = TAKE(json);
    return OK;
}

/* Checkpoints do not change, and the variables do with their model's revision: both sides'
 * revisions and the query say which bytes these are. */
static enum err_code
reply_etag(struct api_request *rq, struct api_reply *rp, const struct checkpoint_diff *diff,
           bool *done, struct err *err)
{
    struct bytes query = api_request_query_text(rq);
    char representation[48];

    snprintf(representation, sizeof representation, "diff-%" PRIu64 "-%08" PRIx32,
             diff->against_revision, crc32c(0, query.data, query.size));
    return api_reply_etag(rq, rp, diff->revision, representation, done, err);
}

enum err_code
api_checkpoint_diff(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(checkpoint_diff) diff = {.revision = 0};
    AUTO(api_page) page = {0};
    struct checkpoint_diff_spec spec;
    bool changed_only = false, done = false;
    json_t *json = NULL;

    TRY(api_page_begin(rq, &page, err));
    TRY(read_spec(rq, &spec, err));
    TRY(api_request_query_bool(rq, "changed_only", false, &changed_only, err));
    TRY(checkpoint_diff_open(api_request_service(rq), api_request_model(rq), &spec, &diff, err));
    TRY(reply_etag(rq, rp, &diff, &done, err));
    if (done)
        return OK;
    TRY(checkpoint_diff_run(&diff, err));
    TRY(push_tensors(&diff, changed_only, &page, err));
    TRY(describe_diff(rq, &spec, &diff, &page, &json, err));
    return api_reply_json(rp, 200, json, err);
}

/* --- verification -------------------------------------------------------------------------- */

static enum err_code
describe_mismatches(const struct checkpoint_verification *verification, json_t **out,
                    struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (size_t i = 0; i < CHECKPOINT_MISMATCHES_MAX && i < verification->mismatch_count; i++) {
        const struct checkpoint_mismatch *mismatch = &verification->mismatches[i];
        json_t *tensor =
            mismatch->tensor.data == NULL
                ? json_null()
                : json_stringn((const char *)mismatch->tensor.data, mismatch->tensor.size);

        if (tensor == NULL) /* damage may be in the name, too */
            tensor = json_null();
        TRY(api_json_push(
            array, json_pack("{s:o, s:s}", "tensor", tensor, "reason", mismatch->reason), err));
    }
    *out = TAKE(array);
    return OK;
}

enum err_code
api_checkpoint_verify(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    struct checkpoint_verification *memory = mem_zeroed(1, sizeof *memory, err);
    AUTO_CALL(api_json_release) json_t *mismatches = NULL;
    enum err_code code;
    json_t *json;

    if (memory == NULL)
        return ERR_NO_MEMORY;
    code = checkpoint_verify(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                             memory, err);
    if (code == OK)
        code = describe_mismatches(memory, &mismatches, err);
    checkpoint_verification_drop(memory);
    TRY(code);
    json = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:O, s:I}", "checkpoint", api_request_name(rq),
                     "verified", memory->mismatch_count == 0, "tensors",
                     (json_int_t)memory->tensors, "bytes", (json_int_t)memory->bytes,
                     "checked_bytes", (json_int_t)memory->checked_bytes, "mismatch_count",
                     (json_int_t)memory->mismatch_count, "mismatches", mismatches, "revision",
                     (json_int_t)memory->revision);
    return api_reply_json(rp, 200, json, err);
}
