#include "service/run/run_fetch.h"

#include <inttypes.h>

#include "service/expr/compute.h"
#include "service/run/draft.h"
#include "store/base/scope.h"

/* Of all fetches so far. */
struct fetched {
    uint64_t bytes, elements;
};

/* All are held until they are told, so it is their sum that has a limit. */
static enum err_code
count(const struct run *run, const struct tensor_type *type, uint64_t size, struct fetched *sum,
      struct err *err)
{
    uint64_t elements_max = run->spec->fetch_elements_max;
    uint64_t bytes_max = run->service->limits.expression_bytes_max;

    if (__builtin_add_overflow(sum->elements, shape_count(&type->shape), &sum->elements) ||
        sum->elements > elements_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the fetches up to this one have %" PRIu64 " elements, JSON takes %" PRIu64
                       " (setting max_json_elements): fetch less, or read the variables as "
                       "safetensors",
                       sum->elements, elements_max);
    if (size > bytes_max - sum->bytes)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%" PRIu64 " bytes, of %" PRIu64 " for all fetches together %" PRIu64
                       " are left (expression_max_bytes)",
                       size, bytes_max, bytes_max - sum->bytes);
    sum->bytes += size;
    return OK;
}

static enum err_code
fetch(struct run *run, const struct run_fetch *fetch, struct fetched *sum, struct tensor *out,
      struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(run->service);
    struct expr_tree *tree = fetch->value;
    AUTO(buf) strings;
    uint64_t size = 0;

    buf_init(&strings, run->service->limits.expression_bytes_max);
    TRY(expr_infer(tree, &run->source, DTYPE_UNSET, err));
    TRY(draft_work(run->draft, DRAFT_STEP_WORK_BYTES, err));
    TRY(draft_draw(run->draft, fetch->name, tree, err));
    TRY(draft_size_of(run->draft, tree, &run->source, &strings, &size, err));
    TRY(count(run, &tree->root->type, size, sum, err));
    TRY(draft_work(run->draft, compute_work_bytes(tree), err));
    TRY(tensor_init(out, &tree->root->type, size, err));
    if (tree->root->type.dtype != DTYPE_STRING)
        return compute_read_all(tree, &run->source, &options, out->data, err);
    if (size > 0)
        memcpy(out->data, strings.data, size);
    return OK;
}

enum err_code
run_fetch_all(struct run *run, struct run_report *report, struct err *err)
{
    struct fetched sum = {0};

    for (size_t i = 0; i < run->spec->fetch_count; i++) {
        const struct run_fetch *each = &run->spec->fetches[i];
        enum err_code code = fetch(run, each, &sum, &report->fetches[i], err);

        report->fetch_count = i + 1;
        if (code == OK)
            continue;
        if (code != ERR_DEFER)
            err_prefix(err, "fetch '%s'", each->name);
        return code;
    }
    return OK;
}
