/* Gradients before they are applied: checked, read, measured and clipped. */
#include "service/training/optimizer_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "service/device/engine.h"
#include "service/expr/compute.h"
#include "service/tensor/convert.h"
#include "service/tensor/kernels.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { NORM_ELEMENTS = 4096, NORM_LANES = 8 };

enum err_code
optimizer_hold(struct optimizer_apply *apply, const struct draft_variable *variable, uint64_t size,
               struct err *err)
{
    uint64_t limit = apply->run->service->limits.expression_bytes_max;

    if (size <= limit - apply->held_bytes) {
        apply->held_bytes += size;
        return OK;
    }
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "the gradient of '%s' takes %" PRIu64 " bytes of memory, %" PRIu64
                   " are left of %" PRIu64 " for all gradients that are sparse or read what is "
                   "applied before them (expression_max_bytes)",
                   variable->name, size, limit - apply->held_bytes, limit);
}

/* --- dense --------------------------------------------------------------------------------- */

static enum err_code
prepare_dense(struct optimizer_apply *apply, struct optimizer_target *target, struct err *err)
{
    const struct draft_variable *variable = target->variable;
    struct expr_tree *tree = target->gradient->dense;
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];
    /* TensorFlow's kernel of gradient_descent calls it delta. */
    const char *word = apply->config.optimizer == &optimizer_gradient_descent ? "delta" : "grad";

    TRY(expr_infer(tree, &apply->run->source, variable->form.type.dtype, err));
    if (tree->root->type.dtype != variable->form.type.dtype)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the gradient is %s, the variable %s (there are no implicit casts)",
                       dtype_name(tree->root->type.dtype), dtype_name(variable->form.type.dtype));
    if (!shape_equal(&tree->root->type.shape, &variable->form.type.shape))
        return err_set(err, ERR_INVALID_ARGUMENT, "var and %s do not have the same shape%s %s",
                       word, shape_text(&variable->form.type.shape, ours),
                       shape_text(&tree->root->type.shape, theirs));
    TRY(draft_draw(apply->run->draft, variable->name, tree, err));
    if (tree->root->kind == EXPR_LITERAL && (uintptr_t)tree->root->settled.data % 16 == 0) {
        target->literal = tree->root->settled.data;
        return OK;
    }
    return draft_work(apply->run->draft, compute_work_bytes(tree), err);
}

/* When its elements are first wanted: what evaluators keep in memory is of one gradient at a time.
 */
static enum err_code
open_dense(const struct optimizer_apply *apply, struct optimizer_target *target, struct err *err)
{
    const struct evaluator_options options =
        draft_evaluator_options(apply->run->draft, target->variable);
    enum err_code code;

    if (target->evaluator != NULL)
        return OK;
    code = evaluator_open(target->gradient->dense, &apply->run->source, &options,
                          &target->evaluator, err);
    if (code != OK)
        err_prefix(err, "gradient of '%s'", target->variable->name);
    return code;
}

void
optimizer_close_gradient(struct optimizer_target *target)
{
    evaluator_drop(target->evaluator);
    target->evaluator = NULL;
}

/* gradient * scale, in the variable's dtype and where it is. */
static enum err_code
multiply(const struct draft_variable *variable, const void *elements, double scale, void *out,
         uint64_t count, struct err *err)
{
    enum dtype dtype = variable->form.type.dtype;
    _Alignas(16) uint8_t factor[16];

    tensor_element_of_double(dtype, scale, factor);
    return device_binary(variable->assigned, KERNEL_MULTIPLY, dtype,
                         (struct kernel_operand){elements, 1}, (struct kernel_operand){factor, 0},
                         out, count, err);
}

enum err_code
optimizer_read_gradient(const struct optimizer_apply *apply, struct optimizer_target *target,
                        uint64_t first, uint64_t count, uint8_t *room, const void **out,
                        struct err *err)
{
    enum dtype dtype = target->variable->form.type.dtype;

    *out = room;
    if (target->literal != NULL) {
        *out = target->literal + first * dtype_size(dtype);
    } else {
        TRY(open_dense(apply, target, err));
        TRY(evaluator_read(target->evaluator, first, count, room, err));
    }
    if (target->average.open) {
        TRY(accumulation_average_read(&target->average, first, count, *out, room, err));
        *out = room;
    }
    if (!apply->scaled)
        return OK;
    TRY(multiply(target->variable, *out, target->scale, room, count, err));
    *out = room;
    return OK;
}

/* --- sparse -------------------------------------------------------------------------------- */

static enum err_code
evaluate(struct optimizer_apply *apply, const struct draft_variable *variable,
         struct expr_tree *tree, struct tensor *out, struct err *err)
{
    const struct evaluator_options options = draft_evaluator_options(apply->run->draft, variable);

    TRY(draft_work(apply->run->draft, compute_work_bytes(tree), err));
    TRY(tensor_init(out, &tree->root->type, tensor_type_bytes(&tree->root->type), err));
    return compute_read_all(tree, &apply->run->source, &options, out->data, err);
}

static enum err_code
check_sparse(struct optimizer_apply *apply, struct optimizer_target *target,
             const struct sparse_target *about, struct err *err)
{
    struct expr_tree *indices = target->gradient->indices, *values = target->gradient->values;
    const struct draft_variable *variable = target->variable;
    uint64_t limit = apply->run->service->limits.expression_bytes_max;

    TRY(expr_infer(indices, &apply->run->source, DTYPE_INT64, err));
    TRY(expr_infer(values, &apply->run->source, variable->form.type.dtype, err));
    TRY(sparse_check_gradient(about, &indices->root->type, &values->root->type, err));
    TRY(sparse_check_memory(about, &indices->root->type.shape, limit, err));
    TRY(optimizer_hold(apply, variable, tensor_type_bytes(&values->root->type), err));
    TRY(draft_draw(apply->run->draft, variable->name, indices, err));
    return draft_draw(apply->run->draft, variable->name, values, err);
}

static enum err_code
prepare_sparse(struct optimizer_apply *apply, struct optimizer_target *target, struct err *err)
{
    const struct draft_variable *variable = target->variable;
    const struct sparse_target about = {
        .verb = "apply_gradients to", .name = variable->name, .type = &variable->form.type};
    AUTO(tensor) indices = {0};
    AUTO(tensor) values = {0};
    struct tensor_view view;

    TRY(check_sparse(apply, target, &about, err));
    TRY(evaluate(apply, variable, target->gradient->indices, &indices, err));
    TRY(evaluate(apply, variable, target->gradient->values, &values, err));
    view = tensor_view_of(&indices);
    TRY(sparse_read_gradient(&about, &view, &target->rows, err));
    target->squares = optimizer_sum_of_squares(variable->form.type.dtype, values.data,
                                               target->rows.count * target->rows.width);
    TRY(sparse_sum_duplicates(&target->rows, variable->form.type.dtype, values.data, err));
    target->values = TAKE(values.data);
    return sparse_order(&target->rows, &target->order, err);
}

/* --- both ---------------------------------------------------------------------------------- */

enum err_code
optimizer_check_variable(const struct optimizer_config *config,
                         const struct draft_variable *variable, struct err *err)
{
    if (!variable->trainable)
        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "variable '%s' is not trainable: it takes no gradient", variable->name);
    else if (!(config->optimizer->dtypes >> variable->form.type.dtype & 1))
        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "variable '%s' is %s, which optimizer '%s' (%s) does not train",
                      variable->name, dtype_name(variable->form.type.dtype), config->name,
                      config->optimizer->name);
    else
        return OK;
    err_about(err, "variable", variable->name);
    return ERR_INVALID_ARGUMENT;
}

enum err_code
optimizer_prepare_gradient(struct optimizer_apply *apply, struct optimizer_target *target,
                           struct err *err)
{
    bool sparse = target->gradient->indices != NULL;
    enum err_code code;

    TRY(draft_find(apply->run->draft, target->gradient->variable, &target->variable, err));
    TRY(draft_check_device(apply->run->draft, target->variable, err));
    TRY(draft_find_initialized(apply->run->draft, target->gradient->variable, &target->variable,
                               err));
    TRY(optimizer_check_variable(&apply->config, target->variable, err));
    code = sparse ? prepare_sparse(apply, target, err) : prepare_dense(apply, target, err);
    if (code == OK || code == ERR_DEFER)
        return code;
    if (!sparse)
        err_prefix(err, "gradient of '%s'", target->variable->name);
    err_about(err, "variable", target->variable->name);
    return code;
}

/* --- all of them ---------------------------------------------------------------------------- */

static int
compare_targets(const void *a, const void *b)
{
    const struct optimizer_target *x = *(const struct optimizer_target *const *)a;
    const struct optimizer_target *y = *(const struct optimizer_target *const *)b;

    return strcmp(x->variable->name, y->variable->name);
}

/* "w" and "w:0" are one variable: which of their gradients would be meant is nobody's to guess. */
static enum err_code
check_each_once(const struct optimizer_apply *apply, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    const struct optimizer_target **targets =
        mem_zeroed(apply->target_count, sizeof(struct optimizer_target *), err);

    if (targets == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < apply->target_count; i++)
        targets[i] = &apply->targets[i];
    qsort(targets, apply->target_count, sizeof(struct optimizer_target *), compare_targets);
    for (size_t i = 1; i < apply->target_count; i++) {
        const char *name = targets[i]->variable->name;

        if (targets[i - 1]->variable != targets[i]->variable)
            continue;
        err_about(err, "variable", name);
        return err_set(err, ERR_INVALID_ARGUMENT, "there are two gradients of '%s'", name);
    }
    return OK;
}

struct dependence {
    const struct optimizer_apply *apply;
    const struct optimizer_target *target;
    bool found;
};

/* expr_visit: whether the variable is one that has been applied by the time of the target's turn.
 */
static enum err_code
look_for_applied(void *context, const char *name, bool initialized, struct err *err)
{
    struct dependence *d = context;

    (void)initialized;
    (void)err;
    for (const struct optimizer_target *each = d->apply->targets; each < d->target; each++) {
        d->found |= strcmp(each->variable->name, name) == 0;
        for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
            d->found |= each->slots[i] != NULL && strcmp(each->slots[i]->name, name) == 0;
    }
    return OK;
}

static enum err_code
evaluate_whole(struct optimizer_apply *apply, struct optimizer_target *target, struct err *err)
{
    const struct tensor_type *type = &target->variable->form.type;

    TRY(optimizer_hold(apply, target->variable, tensor_type_bytes(type), err));
    target->whole = mem_aligned(tensor_type_bytes(type), err);
    if (target->whole == NULL)
        return ERR_NO_MEMORY;
    TRY(open_dense(apply, target, err));
    TRY(evaluator_read(target->evaluator, 0, shape_count(&type->shape), target->whole, err));
    optimizer_close_gradient(target);
    target->literal = target->whole;
    return OK;
}

enum err_code
optimizer_settle_gradients(struct optimizer_apply *apply, struct err *err)
{
    TRY(check_each_once(apply, err));
    for (size_t i = 1; i < apply->target_count; i++) {
        struct optimizer_target *target = &apply->targets[i];
        struct dependence d = {.apply = apply, .target = target};

        if (target->gradient->dense == NULL || target->literal != NULL ||
            draft_size(target->variable) == 0)
            continue;
        TRY(expr_each_variable(target->gradient->dense, look_for_applied, &d, err));
        if (d.found)
            TRY(evaluate_whole(apply, target, err));
    }
    return OK;
}

/* --- norms --------------------------------------------------------------------------------- */

double
optimizer_sum_of_squares(enum dtype dtype, const void *elements, uint64_t count)
{
    double lanes[NORM_LANES] = {0}, wide[NORM_ELEMENTS], sum = 0;
    const uint8_t *from = elements;

    for (uint64_t first = 0; first < count; first += NORM_ELEMENTS) {
        uint64_t part = count - first < NORM_ELEMENTS ? count - first : NORM_ELEMENTS;
        uint64_t i = 0;

        tensor_cast(dtype, from + first * dtype_size(dtype), DTYPE_FLOAT64, wide, part);
        for (; i + NORM_LANES <= part; i += NORM_LANES)
            for (unsigned lane = 0; lane < NORM_LANES; lane++)
                lanes[lane] += wide[i + lane] * wide[i + lane];
        for (; i < part; i++)
            lanes[0] += wide[i] * wide[i];
    }
    for (unsigned lane = 0; lane < NORM_LANES; lane++)
        sum += lanes[lane];
    return sum;
}

static enum err_code
squares_of_dense(struct optimizer_apply *apply, struct optimizer_target *target, double *out,
                 struct err *err)
{
    enum dtype dtype = target->variable->form.type.dtype;
    uint64_t count = shape_count(&target->variable->form.type.shape);
    uint64_t step = STORE_BULK_BYTES / dtype_size(dtype);
    AUTO_CALL(mem_free_scope) uint8_t *room = mem_aligned(STORE_BULK_BYTES, err);

    if (room == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t first = 0; first < count; first += step) {
        uint64_t part = count - first < step ? count - first : step;
        const void *elements = NULL;

        TRY(optimizer_read_gradient(apply, target, first, part, room, &elements, err));
        *out += optimizer_sum_of_squares(dtype, elements, part);
    }
    optimizer_close_gradient(target);
    return OK;
}

/* clip_norm * min(1 / norm, 1 / clip_norm), each step rounded to the dtype it is made in: the
 * variable's, of half precision float32. */
static double
scale_of(enum dtype dtype, double norm, double clip_norm)
{
    float clip = (float)clip_norm, narrow;

    if (dtype == DTYPE_FLOAT64) {
        double a = 1.0 / norm, b = 1.0 / clip_norm;

        return clip_norm * (a < b || isnan(a) ? a : b);
    }
    narrow = 1.0F / (float)norm;
    if (!(narrow < 1.0F / clip) && !isnan(narrow))
        narrow = 1.0F / clip;
    return (double)(clip * narrow);
}

/* Sparse gradients are few: they are scaled at once. */
static enum err_code
scale_sparse(struct optimizer_target *target, struct err *err)
{
    return multiply(target->variable, target->values, target->scale, target->values,
                    target->rows.count * target->rows.width, err);
}

static enum err_code
global_norm(struct optimizer_apply *apply, double *out, struct err *err)
{
    double squares = 0;

    for (size_t i = 0; i < apply->target_count; i++) {
        struct optimizer_target *target = &apply->targets[i];
        double own = 0;

        if (target->gradient->indices != NULL)
            own = target->squares;
        else
            TRY(squares_of_dense(apply, target, &own, err));
        squares += own;
    }
    *out = sqrt(squares);
    return OK;
}

enum err_code
optimizer_clip(struct optimizer_apply *apply, struct optimizer_applied *out, struct err *err)
{
    TRY(global_norm(apply, &out->gradient_norm, err));
    for (size_t i = 0; i < apply->target_count; i++) {
        struct optimizer_target *target = &apply->targets[i];

        target->scale =
            scale_of(target->variable->form.type.dtype, out->gradient_norm, apply->spec->clip_norm);
        out->clip_scale = target->scale;
        if (target->gradient->indices != NULL)
            TRY(scale_sparse(target, err));
    }
    apply->scaled = true;
    return OK;
}
