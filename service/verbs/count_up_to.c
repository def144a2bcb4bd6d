/* count_up_to: a counter that stops. Read, compared and incremented inside one unit, so that many
 * clients counting together each get a number of their own and none past the limit. */
#include <inttypes.h>

#include "service/run/draft.h"
#include "service/run/verb.h"
#include "store/base/scope.h"

/* What no value would change: TensorFlow refuses it when the op is built. */
static enum err_code
check_type(const char *name, const struct tensor_type *type, struct err *err)
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    if (type->dtype != DTYPE_INT32 && type->dtype != DTYPE_INT64)
        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "count_up_to of '%s': int32 or int64 expected, the variable is %s", name,
                      dtype_name(type->dtype));
    else if (type->shape.rank != 0)
        (void)err_set(err, ERR_INVALID_ARGUMENT, "count_up_to of '%s': input is not a scalar: %s",
                      name, shape_text(&type->shape, shape));
    else
        return OK;
    err_about(err, "variable", name);
    return ERR_INVALID_ARGUMENT;
}

/* The limit is compared as int64, so one past int32 can be asked of an int32, which then stops at
 * its own end instead of going round. An int64 is below its limit and so below its end. */
static enum err_code
check_limit(const struct run_op *op, enum dtype dtype, int64_t value, struct err *err)
{
    if (value >= op->limit)
        (void)err_set(err, ERR_OUT_OF_RANGE,
                      "count_up_to of '%s': Reached limit of %" PRId64 " (its value is %" PRId64
                      ")",
                      op->variable, op->limit, value);
    else if (dtype == DTYPE_INT32 && value == INT32_MAX)
        (void)err_set(err, ERR_OUT_OF_RANGE,
                      "count_up_to of '%s': its value %" PRId64
                      " is the largest int32, the limit of %" PRId64 " is past it",
                      op->variable, value, op->limit);
    else
        return OK;
    err_about(err, "variable", op->variable);
    return ERR_OUT_OF_RANGE;
}

static enum err_code
count_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;
    int64_t wide = 0;
    int32_t narrow = 0;
    bool is_wide;

    TRY(draft_find(run->draft, op->variable, &variable, err));
    TRY(check_type(variable->name, &variable->form.type, err));
    TRY(draft_check_device(run->draft, variable, err));
    TRY(draft_find_initialized(run->draft, op->variable, &variable, err));
    is_wide = variable->form.type.dtype == DTYPE_INT64;
    TRY(draft_read(run->draft, variable, 0, is_wide ? sizeof wide : sizeof narrow,
                   is_wide ? (void *)&wide : (void *)&narrow, err));
    out->has_before = true;
    out->before = is_wide ? wide : narrow;
    TRY(check_limit(op, variable->form.type.dtype, out->before, err));
    wide = out->before + 1;
    narrow = (int32_t)wide;
    TRY(draft_write_open(run->draft, variable, draft_size(variable), &w, err));
    TRY(draft_write_append(w, is_wide ? (void *)&wide : (void *)&narrow,
                           (size_t)draft_size(variable), err));
    TRY(draft_write_close(TAKE(w), &variable->form.type.shape, err));
    run_changed(out, variable);
    return OK;
}

const struct verb verb_count_up_to = {
    .name = "count_up_to",
    .summary = "Adds one to an int32 or int64 scalar below a limit and tells what it was before.",
    .fields = VERB_VARIABLE | VERB_LIMIT | VERB_DEVICE,
    .apply = count_apply,
};
