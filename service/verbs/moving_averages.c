/* apply_moving_averages: the shadows of variables and tensors follow them. create_average_slots:
 * shadows are made, and what they are of enters the set, without an update. */
#include "service/expr/compute.h"
#include "service/run/verb.h"
#include "service/tensor/convert.h"
#include "service/training/average_set.h"
#include "service/training/average_update.h"
#include "service/variable/variable.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct averaging {
    struct run *run;
    struct average_config config;
    struct average_set set;
    bool update;
    float decay;
};

static void
averaging_drop(struct averaging *a)
{
    average_config_drop(&a->config);
    average_set_drop(&a->set);
}

static enum err_code
load_config(struct averaging *a, const char *name, struct err *err)
{
    struct draft *draft = a->run->draft;
    struct record_key key;
    struct bytes record;

    TRY(name_check("moving average", name, err));
    key = record_key_average(draft->model.id, name);
    TRY(draft_rely_on(draft, &key, &record, err));
    TRY(average_config_load(draft->view, draft->model.id, name, &a->config, err));
    return run_check_resource(a->run, "moving_averages", name, a->config.revision, err);
}

/* min(decay, (1 + n) / (10 + n)), in float32. */
static enum err_code
read_decay(struct averaging *a, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(a->run->service);
    struct expr_tree *tree = &a->config.num_updates;
    _Alignas(16) uint8_t element[16];
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    float n = 0, early;

    a->decay = (float)a->config.decay;
    if (!a->config.has_num_updates)
        return OK;
    TRY(expr_infer(tree, &a->run->source, DTYPE_UNSET, err));
    if (tree->root->type.shape.rank != 0 || !dtype_is_number(tree->root->type.dtype) ||
        dtype_is_complex(tree->root->type.dtype))
        return err_set(err, ERR_INVALID_ARGUMENT, "num_updates must be one number, it is %s",
                       tensor_type_text(&tree->root->type, text));
    TRY(draft_draw(a->run->draft, a->config.name, tree, err));
    TRY(draft_work(a->run->draft, compute_work_bytes(tree), err));
    TRY(compute_read_all(tree, &a->run->source, &options, element, err));
    tensor_cast(tree->root->type.dtype, element, DTYPE_FLOAT32, &n, 1);
    early = (1.0F + n) / (10.0F + n);
    a->decay = a->decay < early ? a->decay : early;
    return OK;
}

/* --- shadows ------------------------------------------------------------------------------- */

static enum err_code
name_tree(struct averaging *a, enum expr_kind kind, const char *name, struct expr_tree *out,
          struct err *err)
{
    const struct expr_limits limits = {.nodes_max = 1, .depth_max = 1};

    TRY(expr_tree_init(out, err));
    TRY(expr_tree_node(out, &limits, kind, NULL, 0, &out->root, err));
    out->root->variable = arena_text(&out->arena, bytes_of_text(name), err);
    if (out->root->variable == NULL)
        return ERR_NO_MEMORY;
    TRY(expr_tree_args(&limits, out->root, NULL, err));
    return expr_infer(out, &a->run->source, DTYPE_UNSET, err);
}

/* Of a variable: begins where that begins, or is now. */
static enum err_code
make_shadow(struct averaging *a, const char *name, const struct draft_variable *variable,
            const struct expr_tree *value, struct draft_variable **out, struct err *err)
{
    struct draft_variable_spec spec = {.name = name, .type = variable->form.type, .like = variable};
    AUTO(expr_tree) initial = {0};
    AUTO_WRITER w = NULL;

    TRY(name_tree(a, EXPR_INITIALIZED_VALUE, variable->name, &initial, err));
    spec.initial_value = &initial;
    TRY(draft_make_variable(a->run->draft, &spec, out, err));
    if (!a->update)
        return OK;
    TRY(draft_write_open(a->run->draft, *out, tensor_type_bytes(&spec.type), &w, err));
    TRY(draft_write_expr(w, value, &a->run->source, err));
    return draft_write_close(TAKE(w), &spec.type.shape, err);
}

static enum err_code
check_shadow(const struct averaging *a, const struct average_target *target,
             const struct tensor_type *type, struct err *err)
{
    const struct draft_variable *shadow = target->shadow;
    char ours[TENSOR_TYPE_TEXT_BYTES_MAX], theirs[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (!shadow->form.shape_known || !tensor_type_equal(&shadow->form.type, type)) {
        err_about(err, "variable", shadow->name);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "moving averages '%s': '%s' is %s, its shadow '%s' is %s", a->config.name,
                       target->name, tensor_type_text(type, ours), shadow->name,
                       tensor_type_text(&shadow->form.type, theirs));
    }
    return a->update && shadow->value == NULL ? compute_uninitialized(shadow->name, err) : OK;
}

/* `name`: of the shadow, which target->shadow is if it is there. */
static enum err_code
find_shadow(struct averaging *a, struct average_target *target, const char *name,
            const struct expr_tree *value, const struct draft_variable *variable, struct err *err)
{
    const struct tensor_type *type = &value->root->type;
    const struct draft_fill zeros = {.name = name, .type = *type, .initialize = a->update};

    TRY(average_check_dtype(target->name, type->dtype, err));
    if (target->shadow != NULL)
        return check_shadow(a, target, type, err);
    if (variable != NULL)
        return make_shadow(a, name, variable, value, &target->shadow, err);
    return draft_make_filled(a->run->draft, &zeros, &target->shadow, err);
}

/* --- one target ---------------------------------------------------------------------------- */

static enum err_code
update_target(struct averaging *a, struct average_target *target, struct expr_tree *value,
              struct err *err)
{
    enum dtype dtype = target->shadow->form.type.dtype;
    struct draft_variable *biased = NULL, *local_step = NULL;
    _Alignas(16) uint8_t rest[AVERAGE_REST_BYTES];
    bool debias = target->is_tensor && a->config.zero_debias;

    if (a->update)
        TRY(draft_check_device(a->run->draft, target->shadow, err));
    else
        TRY(draft_follow_device(a->run->draft, target->shadow, err));
    if (!a->update)
        return debias ? average_find_bias(a->run, target->shadow, false, &biased, &local_step, err)
                      : OK;
    average_rest_of(a->decay, dtype, rest);
    TRY(draft_draw(a->run->draft, target->shadow->name, value, err));
    return debias ? average_update_debiased(a->run, target->shadow, value, rest, err)
                  : average_update(a->run, target->shadow, value, rest, err);
}

static enum err_code
take_target(struct averaging *a, struct average_target *target, struct err *err)
{
    struct draft *draft = a->run->draft;
    struct draft_variable *variable = NULL;
    char shadow[NAME_BYTES_MAX + 1];
    AUTO(expr_tree) own = {0};
    struct expr_tree *value = target->value;
    enum dtype number = DTYPE_FLOAT32; /* what a number that a client wrote becomes */

    TRY(average_shadow_name(&a->config, target->name, shadow, err));
    TRY(draft_look(draft, shadow, &target->shadow, err));
    if (target->shadow != NULL) {
        number = target->shadow->form.type.dtype;
        if (a->update)
            TRY(draft_check_device(draft, target->shadow, err));
    }
    if (target->is_tensor) {
        TRY(expr_infer(value, &a->run->source, number, err));
    } else {
        TRY(draft_find(draft, target->name, &variable, err));
        TRY(average_check_dtype(target->name, variable->form.type.dtype, err));
        if (a->update)
            TRY(draft_find_initialized(draft, target->name, &variable, err));
        TRY(name_tree(a, EXPR_VARIABLE, target->name, &own, err));
        value = &own;
    }
    TRY(find_shadow(a, target, shadow, value, variable, err));
    return update_target(a, target, value, err);
}

static enum err_code
take_all(struct averaging *a, const struct average_selection *selection, struct err *err)
{
    TRY(average_set_find(a->run->draft, &a->config, selection, &a->set, err));
    for (size_t i = 0; i < a->set.count; i++) {
        struct average_target *target = &a->set.targets[i];
        enum err_code code = OK;

        if (!a->update && target->known)
            return average_twice(target->name, err);
        code = take_target(a, target, err);
        if (code != OK && code != ERR_DEFER && target->is_tensor)
            err_prefix(err, "tensor '%s'", target->name);
        TRY(code);
    }
    return average_set_enter(a->run->draft, &a->config, &a->set, err);
}

/* --- the operations ------------------------------------------------------------------------ */

static enum err_code
report(const struct averaging *a, struct average_applied *out, struct err *err)
{
    memcpy(out->averages, a->config.name, sizeof out->averages);
    out->has_decay = a->update;
    out->decay = (double)a->decay;
    out->shadows = mem_zeroed(a->set.count, sizeof *out->shadows, err);
    if (out->shadows == NULL)
        return ERR_NO_MEMORY;
    out->shadow_count = a->set.count;
    for (size_t i = 0; i < a->set.count; i++)
        run_version_note(&out->shadows[i], a->set.targets[i].shadow);
    return OK;
}

static enum err_code
averages_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    AUTO(averaging) a = {.run = run, .update = op->verb == &verb_apply_moving_averages};

    out->averaged = mem_zeroed(1, sizeof *out->averaged, err);
    if (out->averaged == NULL)
        return ERR_NO_MEMORY;
    TRY(load_config(&a, op->averages->averages, err));
    if (a.update)
        TRY(read_decay(&a, err));
    TRY(take_all(&a, op->averages, err));
    return report(&a, out->averaged, err);
}

const struct verb verb_apply_moving_averages = {
    .name = "apply_moving_averages",
    .summary = "Moves the shadows of variables and tensors towards them, all or those named.",
    .fields = VERB_AVERAGES | VERB_DEVICE,
    .apply = averages_apply,
};

const struct verb verb_create_average_slots = {
    .name = "create_average_slots",
    .summary = "Makes the shadows of variables and tensors, not initialized.",
    .fields = VERB_AVERAGES | VERB_DEVICE,
    .apply = averages_apply,
};
