/* apply_gradients: an optimizer of the model changes variables, its slots and powers, and the step,
 * in one operation. create_slots makes the slots without a gradient. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "service/expr/compute.h"
#include "service/run/verb.h"
#include "service/tensor/convert.h"
#include "service/training/optimizer_parts.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

/* --- what is the same for all variables ---------------------------------------------------- */

/* A real number from a scalar variable. */
static enum err_code
read_scalar(struct draft *draft, struct draft_variable *variable, double *out, struct err *err)
{
    _Alignas(16) uint8_t element[16];

    TRY(draft_read(draft, variable, 0, dtype_size(variable->form.type.dtype), element, err));
    *out = tensor_element_as_double(variable->form.type.dtype, element);
    return OK;
}

/* The learning rate as it is now: a number by way of float32, a variable or a schedule in its own
 * dtype. */
static enum err_code
read_learning_rate(struct optimizer_apply *apply, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(apply->run->service);
    struct expr_tree *tree = &apply->config.learning_rate;
    char shape[SHAPE_TEXT_BYTES_MAX];
    _Alignas(16) uint8_t element[16];

    TRY(expr_infer(tree, &apply->run->source, DTYPE_UNSET, err));
    if (tree->root->type.shape.rank != 0 || !dtype_is_number(tree->root->type.dtype) ||
        dtype_is_complex(tree->root->type.dtype))
        return err_set(err, ERR_INVALID_ARGUMENT, "lr is not a scalar: %s of %s",
                       shape_text(&tree->root->type.shape, shape),
                       dtype_name(tree->root->type.dtype));
    if (tree->root->kind == EXPR_LITERAL && tree->root->weak) {
        double number =
            tensor_element_as_double(tree->root->literal.type.dtype, tree->root->literal.data);

        apply->learning_rate = optimizer_learning_rate(apply->config.optimizer, number);
        return OK;
    }
    TRY(draft_draw(apply->run->draft, apply->config.name, tree, err));
    TRY(draft_work(apply->run->draft, compute_work_bytes(tree), err));
    TRY(compute_read_all(tree, &apply->run->source, &options, element, err));
    apply->learning_rate = tensor_element_as_double(tree->root->type.dtype, element);
    return OK;
}

static enum err_code
load_config(struct optimizer_apply *apply, const char *name, struct err *err)
{
    struct draft *draft = apply->run->draft;
    struct record_key key = record_key_optimizer(draft->model.id, name);
    struct bytes record;

    TRY(name_check("optimizer", name, err));
    TRY(draft_rely_on(draft, &key, &record, err));
    TRY(optimizer_config_load(draft->view, draft->model.id, name, &apply->config, err));
    return run_check_resource(apply->run, "optimizer", name, apply->config.revision, err);
}

static enum err_code
prepare_shared(struct optimizer_apply *apply, struct err *err)
{
    struct draft *draft = apply->run->draft;
    enum err_code code;

    code = read_learning_rate(apply, err);
    if (code != OK && code != ERR_DEFER)
        err_prefix(err, "learning rate of optimizer '%s'", apply->config.name);
    TRY(code);
    TRY(optimizer_find_powers(draft, &apply->config, apply->spec, true, apply->power_variables,
                              err));
    for (uint32_t i = 0; i < optimizer_power_count(apply->config.optimizer); i++)
        TRY(read_scalar(draft, apply->power_variables[i], &apply->powers[i], err));
    return optimizer_read_global_step(apply, err);
}

/* --- variables ----------------------------------------------------------------------------- */

/* Gradients that are only added up need no slots: the first step makes them. */
static enum err_code
prepare_targets(struct optimizer_apply *apply, bool slots, struct err *err)
{
    const struct optimizer_gradients *spec = apply->spec;

    if (spec->count == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "optimizer '%s': No variables provided.",
                       spec->optimizer);
    apply->targets = mem_zeroed(spec->count, sizeof *apply->targets, err);
    if (apply->targets == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < spec->count; i++) {
        struct optimizer_target *target = &apply->targets[apply->target_count];

        if (spec->gradients[i].dense == NULL && spec->gradients[i].indices == NULL)
            continue;
        target->gradient = &spec->gradients[i];
        apply->target_count++;
        TRY(optimizer_prepare_gradient(apply, target, err));
        if (apply->contribution != NULL)
            TRY(optimizer_accumulate_join(apply, target, err));
        if (slots)
            TRY(optimizer_find_slots(apply->run->draft, &apply->config, target->variable, true,
                                     target->slots, err));
    }
    if (apply->target_count == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "No gradients provided for any variable: '%s'%s",
                       spec->gradients[0].variable, spec->count > 1 ? " and others" : "");
    return optimizer_settle_gradients(apply, err);
}

static enum err_code
apply_target(struct optimizer_apply *apply, struct optimizer_target *target, struct err *err)
{
    const struct optimizer *optimizer = apply->config.optimizer;
    bool sparse = target->gradient->indices != NULL;
    enum err_code code;

    target->step = (struct optimizer_step){
        .params = apply->config.params,
        .dtype = target->variable->form.type.dtype,
        .sparse = sparse,
        .learning_rate = apply->learning_rate,
        .global_step = apply->global_step,
    };
    memcpy(target->step.powers, apply->powers, sizeof apply->powers);
    TRY(optimizer_check_step(optimizer, &target->step, err));
    if (draft_size(target->variable) == 0)
        return OK;
    if (optimizer_is_listed(apply, target))
        code = optimizer_apply_listed(apply, target, err);
    else
        code = optimizer_apply_whole(apply, target, err);
    optimizer_close_gradient(target);
    if (code != OK && code != ERR_DEFER)
        err_about(err, "variable", target->variable->name);
    return code;
}

enum err_code
optimizer_write_scalar(struct draft *draft, struct draft_variable *variable, const void *element,
                       struct err *err)
{
    AUTO_WRITER w = NULL;

    TRY(draft_write_open(draft, variable, draft_size(variable), &w, err));
    TRY(draft_write_append(w, element, (size_t)draft_size(variable), err));
    return draft_write_close(TAKE(w), &variable->form.type.shape, err);
}

/* Once per apply, after all variables. */
static enum err_code
advance(struct optimizer_apply *apply, struct optimizer_applied *out, struct err *err)
{
    const struct optimizer *optimizer = apply->config.optimizer;
    _Alignas(16) uint8_t element[16];

    for (uint32_t i = 0; i < optimizer_power_count(optimizer); i++) {
        double power = optimizer_power_next(optimizer, i, apply->config.params, apply->powers[i]);

        tensor_element_of_double(optimizer_power_dtype(optimizer), power, element);
        TRY(optimizer_write_scalar(apply->run->draft, apply->power_variables[i], element, err));
    }
    return optimizer_count_step(apply, out, err);
}

/* --- staleness ----------------------------------------------------------------------------- */

struct applied_record {
    char optimizer[NAME_BYTES_MAX + 1];
    bool has_base_revision, has_max_staleness;
    uint64_t base_revision, max_staleness;
    bool counts;                       /* it is an apply, not a contribution to one */
    struct optimizer_applied *applied; /* of the report */
};

/* Earlier applies of the same run, whose revision is `own`, make nothing stale. */
static enum err_code
judge_staleness(const struct applied_record *a, const struct applies_record *record, uint64_t own,
                struct err *err)
{
    uint64_t staleness = 0;

    if (!a->has_base_revision)
        return OK;
    for (uint32_t i = 0; i < record->count; i++)
        staleness += record->revisions[i] > a->base_revision && record->revisions[i] != own;
    a->applied->has_staleness = true;
    a->applied->staleness = staleness;
    if (!a->has_max_staleness || staleness <= a->max_staleness)
        return OK;
    (void)err_set(err, ERR_PRECONDITION_FAILED,
                  "the gradients were computed at revision %" PRIu64 ", %s%" PRIu64
                  " applies of optimizer '%s' ago, at most %" PRIu64
                  " are allowed (max_staleness): read the variables again",
                  a->base_revision, staleness == RECORD_APPLIES_MAX ? "at least " : "", staleness,
                  a->optimizer, a->max_staleness);
    err_about(err, "optimizer", a->optimizer);
    return ERR_PRECONDITION_FAILED;
}

/* With the state of the very commit: applies of other variables may have come in between. */
static enum err_code
publish_applied(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    const struct applied_record *a = context;
    struct applies_record record;

    TRY(record_get_applies(store_txn_view(txn), draft->model.id, a->optimizer, &record, err));
    TRY(judge_staleness(a, &record, store_txn_revision(txn), err));
    if (!a->counts)
        return OK;
    record.applies++;
    if (record.count == RECORD_APPLIES_MAX)
        memmove(record.revisions, record.revisions + 1,
                --record.count * sizeof record.revisions[0]);
    record.revisions[record.count++] = store_txn_revision(txn);
    return record_put_applies(txn, draft->model.id, a->optimizer, &record, err);
}

/* Refused now when it is too late already, before anything is computed. */
static enum err_code
note_applied(struct optimizer_apply *apply, struct optimizer_applied *out, struct err *err)
{
    const struct optimizer_gradients *spec = apply->spec;
    struct draft *draft = apply->run->draft;
    struct applied_record *a = arena_alloc(&draft->arena, sizeof *a, err);
    struct applies_record record;

    if (a == NULL)
        return ERR_NO_MEMORY;
    memcpy(a->optimizer, apply->config.name, sizeof a->optimizer);
    a->has_base_revision = spec->has_base_revision;
    a->has_max_staleness = spec->has_max_staleness;
    a->base_revision = spec->base_revision;
    a->max_staleness = spec->max_staleness;
    a->counts = optimizer_applied_is_step(out);
    a->applied = out;
    TRY(record_get_applies(draft->view, draft->model.id, a->optimizer, &record, err));
    TRY(judge_staleness(a, &record, 0, err));
    return draft_also_publish(draft, publish_applied, a, err);
}

/* --- the verb ------------------------------------------------------------------------------ */

static void
optimizer_apply_drop(struct optimizer_apply *apply)
{
    for (size_t i = 0; i < apply->target_count; i++) {
        struct optimizer_target *target = &apply->targets[i];

        optimizer_close_gradient(target);
        sparse_drop(&target->rows);
        mem_free(target->whole);
        mem_free(target->values);
        mem_free(target->order);
        accumulation_average_drop(&target->average);
    }
    mem_free(apply->targets);
    optimizer_config_drop(&apply->config);
}

static enum err_code
report(const struct optimizer_apply *apply, struct optimizer_applied *out, struct err *err)
{
    double squares = 0;

    out->learning_rate = apply->learning_rate;
    out->variables = mem_zeroed(apply->target_count, sizeof *out->variables, err);
    if (out->variables == NULL)
        return ERR_NO_MEMORY;
    out->variable_count = apply->target_count;
    for (size_t i = 0; i < apply->target_count; i++) {
        const struct optimizer_target *target = &apply->targets[i];

        run_version_note(&out->variables[i], target->variable);
        squares += target->squares;
    }
    if (!apply->scaled) {
        out->gradient_norm = sqrt(squares);
        out->clip_scale = 1;
    }
    return OK;
}

/* The step itself. */
static enum err_code
take_step(struct optimizer_apply *apply, struct optimizer_applied *applied, bool *converted,
          struct err *err)
{
    TRY(prepare_shared(apply, err));
    TRY(note_applied(apply, applied, err));
    TRY(prepare_targets(apply, true, err));
    if (apply->spec->has_clip_norm)
        TRY(optimizer_clip(apply, applied, err));
    TRY(optimizer_want_rows(apply, converted, err));
    for (size_t i = 0; i < apply->target_count; i++)
        TRY(apply_target(apply, &apply->targets[i], err));
    TRY(advance(apply, applied, err));
    return report(apply, applied, err);
}

/* A contribution to a step that others are waited for. */
static enum err_code
contribute(struct optimizer_apply *apply, struct optimizer_applied *applied, struct err *err)
{
    TRY(optimizer_find_global_step(apply, err));
    TRY(note_applied(apply, applied, err));
    return prepare_targets(apply, false, err);
}

static enum err_code
gradients_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    AUTO(optimizer_apply) apply = {.run = run, .spec = op->gradients};
    struct optimizer_applied *applied = mem_zeroed(1, sizeof *applied, err);

    out->applied = applied;
    if (applied == NULL)
        return ERR_NO_MEMORY;
    TRY(load_config(&apply, op->gradients->optimizer, err));
    memcpy(applied->optimizer, apply.config.name, sizeof applied->optimizer);
    applied->type = apply.config.optimizer;
    if (op->gradients->accumulate != NULL)
        TRY(optimizer_accumulate_open(&apply, applied, err));
    if (optimizer_applied_is_step(applied))
        TRY(take_step(&apply, applied, &out->converted, err));
    else if (apply.contribution != NULL)
        TRY(contribute(&apply, applied, err));
    return apply.contribution == NULL ? OK : optimizer_accumulate_close(&apply, err);
}

const struct verb verb_apply_gradients = {
    .name = "apply_gradients",
    .summary = "An optimizer of the model takes a step: variables, slots, powers and global step.",
    .fields = VERB_OPTIMIZER | VERB_GRADIENTS | VERB_DEVICE,
    .apply = gradients_apply,
};

/* --- slots alone --------------------------------------------------------------------------- */

static enum err_code
slots_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    AUTO(optimizer_apply) apply = {.run = run, .spec = op->gradients};
    struct draft_variable *slots[OPTIMIZER_SLOTS_MAX];

    (void)out;
    TRY(load_config(&apply, op->gradients->optimizer, err));
    TRY(optimizer_find_powers(run->draft, &apply.config, apply.spec, false, apply.power_variables,
                              err));
    for (size_t i = 0; i < op->gradients->count; i++) {
        struct draft_variable *variable = NULL;

        TRY(draft_find(run->draft, op->gradients->gradients[i].variable, &variable, err));
        TRY(optimizer_check_variable(&apply.config, variable, err));
        TRY(draft_follow_device(run->draft, variable, err));
        TRY(optimizer_find_slots(run->draft, &apply.config, variable, false, slots, err));
    }
    return OK;
}

const struct verb verb_create_slots = {
    .name = "create_slots",
    .summary = "Makes the slots of an optimizer for variables, and its powers, not initialized.",
    .fields = VERB_OPTIMIZER | VERB_VARIABLES | VERB_DEVICE,
    .apply = slots_apply,
};
