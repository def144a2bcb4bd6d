#include "service/training/average_update.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/device/engine.h"
#include "service/expr/compute.h"
#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/scope.h"

enum err_code
average_check_dtype(const char *name, enum dtype dtype, struct err *err)
{
    if (dtype_is_float(dtype) && kernel_binary_known(KERNEL_SUBTRACT, dtype))
        return OK;
    err_about(err, "variable", name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "The variables must be half, float, or double: %s:0 is %s", name,
                   dtype_name(dtype));
}

void
average_rest_of(float decay, enum dtype dtype, uint8_t rest[static AVERAGE_REST_BYTES])
{
    float difference = 1.0F - decay;

    tensor_element_of_double(dtype, (double)difference, rest);
}

static struct kernel_operand
each(const void *data)
{
    return (struct kernel_operand){data, 1};
}

static struct kernel_operand
all(const void *element)
{
    return (struct kernel_operand){element, 0};
}

/* --- elements ------------------------------------------------------------------------------ */

/* A new value of the type of `variable`, tile by tile, over the current one of `from`. */
static enum err_code
rewrite(struct run *run, struct draft_variable *variable, struct draft_variable *from,
        draft_make_tile *make, void *context, struct err *err)
{
    const struct tensor_type *type = &variable->form.type;
    AUTO_WRITER w = NULL;

    TRY(draft_work(run->draft, tensor_type_bytes(type), err));
    TRY(draft_write_open(run->draft, variable, tensor_type_bytes(type), &w, err));
    TRY(draft_write_over(w, from, type, make, context, err));
    return draft_write_close(TAKE(w), &type->shape, err);
}

struct blend {
    struct evaluator *value;
    const struct device *device;
    enum dtype dtype;
    const uint8_t *rest;
};

/* old - (old - value) * rest */
static enum err_code
blend_tile(void *context, uint64_t first, uint64_t count, const void *old, void *room,
           struct err *err)
{
    const struct blend *b = context;

    TRY(evaluator_read(b->value, first, count, room, err));
    TRY(device_binary(b->device, KERNEL_SUBTRACT, b->dtype, each(old), each(room), room, count,
                      err));
    TRY(device_binary(b->device, KERNEL_MULTIPLY, b->dtype, each(room), all(b->rest), room, count,
                      err));
    return device_binary(b->device, KERNEL_SUBTRACT, b->dtype, each(old), each(room), room, count,
                         err);
}

enum err_code
average_update(struct run *run, struct draft_variable *variable, const struct expr_tree *value,
               const uint8_t rest[static AVERAGE_REST_BYTES], struct err *err)
{
    const struct evaluator_options options = draft_evaluator_options(run->draft, variable);
    AUTO_CALL(compute_evaluator_drop) struct evaluator *evaluator = NULL;
    struct blend blend = {
        .device = variable->assigned, .dtype = variable->form.type.dtype, .rest = rest};

    TRY(draft_find_initialized(run->draft, variable->name, &variable, err));
    TRY(draft_work(run->draft, compute_work_bytes(value), err));
    TRY(evaluator_open(value, &run->source, &options, &evaluator, err));
    blend.value = evaluator;
    return rewrite(run, variable, variable, blend_tile, &blend, err);
}

/* --- without the bias of a zero ------------------------------------------------------------ */

static enum err_code
find_state(struct run *run, const struct draft_variable *variable, const char *name,
           const struct tensor_type *type, bool initialize, struct draft_variable **out,
           struct err *err)
{
    char full[2 * NAME_BYTES_MAX + 2], ours[TENSOR_TYPE_TEXT_BYTES_MAX],
        theirs[TENSOR_TYPE_TEXT_BYTES_MAX];
    const struct draft_fill fill = {
        .name = full, .type = *type, .like = variable, .initialize = initialize, .is_state = true};

    snprintf(full, sizeof full, "%s/%s", variable->name, name);
    TRY(draft_look(run->draft, full, out, err));
    if (*out == NULL)
        TRY(draft_make_filled(run->draft, &fill, out, err));
    (*out)->is_state = true;
    if (initialize)
        TRY(draft_check_device(run->draft, *out, err));
    if (!(*out)->form.shape_known || !tensor_type_equal(&(*out)->form.type, type)) {
        err_about(err, "variable", full);
        return err_set(err, ERR_INVALID_ARGUMENT, "the average '%s' keeps %s in '%s', which is %s",
                       variable->name, tensor_type_text(type, ours), full,
                       tensor_type_text(&(*out)->form.type, theirs));
    }
    return initialize ? draft_find_initialized(run->draft, full, out, err) : OK;
}

enum err_code
average_find_bias(struct run *run, const struct draft_variable *variable, bool initialize,
                  struct draft_variable **biased, struct draft_variable **local_step,
                  struct err *err)
{
    const struct tensor_type *type = &variable->form.type, scalar = {.dtype = type->dtype};

    TRY(find_state(run, variable, "biased", type, initialize, biased, err));
    return find_state(run, variable, "local_step", &scalar, initialize, local_step, err);
}

/* One more update: *factor becomes 1 - decay^t, of one element. */
static enum err_code
count_update(struct run *run, struct draft_variable *local_step, const uint8_t *rest, void *factor,
             struct err *err)
{
    enum dtype t = local_step->form.type.dtype;
    _Alignas(16) uint8_t step[16], one[16], decay[16];
    AUTO_WRITER w = NULL;

    tensor_element_of_double(t, 1, one);
    TRY(draft_read(run->draft, local_step, 0, dtype_size(t), step, err));
    TRY(kernel_binary(KERNEL_ADD, t, each(step), each(one), step, 1, err));
    TRY(draft_write_open(run->draft, local_step, dtype_size(t), &w, err));
    TRY(draft_write_append(w, step, dtype_size(t), err));
    TRY(draft_write_close(TAKE(w), &local_step->form.type.shape, err));
    TRY(kernel_binary(KERNEL_SUBTRACT, t, each(one), each(rest), decay, 1, err));
    TRY(kernel_binary(KERNEL_POW, t, each(decay), each(step), factor, 1, err));
    return kernel_binary(KERNEL_SUBTRACT, t, each(one), each(factor), factor, 1, err);
}

struct quotient {
    const struct device *device;
    enum dtype dtype;
    const void *factor;
};

static enum err_code
divide_tile(void *context, uint64_t first, uint64_t count, const void *old, void *room,
            struct err *err)
{
    const struct quotient *q = context;

    (void)first;
    return device_binary(q->device, KERNEL_DIVIDE, q->dtype, each(old), all(q->factor), room, count,
                         err);
}

/* r1.0 subtracts the difference to the new value, later versions assign it, which is what it comes
 * to but for the last bit. */
enum err_code
average_update_debiased(struct run *run, struct draft_variable *variable,
                        const struct expr_tree *value,
                        const uint8_t rest[static AVERAGE_REST_BYTES], struct err *err)
{
    struct draft_variable *biased = NULL, *local_step = NULL;
    _Alignas(16) uint8_t factor[16];
    struct quotient quotient = {
        .device = variable->assigned, .dtype = variable->form.type.dtype, .factor = factor};

    TRY(draft_find_initialized(run->draft, variable->name, &variable, err));
    TRY(average_find_bias(run, variable, true, &biased, &local_step, err));
    TRY(average_update(run, biased, value, rest, err));
    TRY(count_update(run, local_step, rest, factor, err));
    return rewrite(run, variable, biased, divide_tile, &quotient, err);
}
