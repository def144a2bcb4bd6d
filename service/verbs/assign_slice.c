#include "service/verbs/assign_slice.h"

#include <stdarg.h>
#include <stdio.h>

#include "service/expr/compute.h"
#include "service/run/draft.h"
#include "service/tensor/slice.h"
#include "store/base/scope.h"

enum { RUNS_MAX = 1 << 22 };

struct slicing {
    struct draft *draft;
    struct draft_variable *variable;
    enum kernel_scatter kernel;
    struct tensor value; /* owned */
    uint64_t runs;
};

static void
slicing_drop(struct slicing *s)
{
    tensor_drop(&s->value);
}

static enum err_code
edit_run(void *context, uint64_t source_first, uint64_t result_first, uint64_t count,
         struct err *err)
{
    struct slicing *s = context;
    uint32_t element_size = dtype_size(s->value.type.dtype);
    struct kernel_operand update = {s->value.data + result_first * element_size, 1};

    if (++s->runs > RUNS_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a slice of over %d separate runs: write it in parts", RUNS_MAX);
    return draft_scatter_row(s->draft, s->variable, s->kernel, source_first * element_size,
                             count * element_size, update, err);
}

static enum err_code refuse(const struct slicing *s, const char *text, struct err *err,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

static enum err_code
refuse(const struct slicing *s, const char *text, struct err *err, const char *format, ...)
{
    char why[ERR_TEXT_BYTES_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    err_about(err, "variable", s->variable->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s'%s", text, s->variable->name, why);
}

static enum err_code
check_value(const struct slicing *s, const struct run_op *op, const char *text,
            const struct slice *slice, struct err *err)
{
    const struct tensor_type *ours = &s->variable->form.type, *theirs = &op->value->root->type;
    char our_shape[SHAPE_TEXT_BYTES_MAX], their_shape[SHAPE_TEXT_BYTES_MAX];

    if (ours->dtype != theirs->dtype)
        return refuse(s, text, err, ": dtype %s expected, the value is %s", dtype_name(ours->dtype),
                      dtype_name(theirs->dtype));
    if (!shape_equal(&slice->result, &theirs->shape))
        return refuse(s, text, err, " [%s]: the slice has shape %s, the value has %s", op->slice,
                      shape_text(&slice->result, our_shape),
                      shape_text(&theirs->shape, their_shape));
    return OK;
}

enum err_code
verb_assign_slice(struct run *run, const struct run_op *op, const char *text,
                  enum kernel_scatter kernel, struct run_result *out, struct err *err)
{
    AUTO(slicing) s = {.draft = run->draft, .kernel = kernel};
    struct evaluator_options options;
    struct slice slice;

    TRY(draft_find(run->draft, op->variable, &s.variable, err));
    TRY(draft_check_device(run->draft, s.variable, err));
    TRY(draft_find_initialized(run->draft, op->variable, &s.variable, err));
    if (!op->validate_shape)
        return refuse(&s, text, err,
                      ": a slice changes no shape: 'validate_shape' cannot be false");
    if (s.variable->form.type.dtype == DTYPE_STRING)
        return refuse(&s, text, err, ": string tensors are written whole, not by slice");
    if (!kernel_scatter_known(kernel, s.variable->form.type.dtype))
        return refuse(&s, text, err, ": %s has no arithmetic",
                      dtype_name(s.variable->form.type.dtype));
    TRY(slice_parse(bytes_of_text(op->slice), &s.variable->form.type.shape, &slice, err));
    TRY(expr_infer(op->value, &run->source, s.variable->form.type.dtype, err));
    TRY(check_value(&s, op, text, &slice, err));
    TRY(draft_draw(run->draft, s.variable->name, op->value, err));
    TRY(draft_work(run->draft, compute_work_bytes(op->value), err));
    options = draft_evaluator_options(run->draft, s.variable);
    TRY(compute_tensor(op->value, "values for a slice", &run->source, &options, &s.value, err));
    TRY(slice_each_run(&slice, edit_run, &s, err));
    draft_edited(s.variable);
    run_changed(out, s.variable);
    return OK;
}
