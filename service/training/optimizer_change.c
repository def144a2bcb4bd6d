/* A model's optimizers made, changed and deleted. What is checked here holds for every step: only
 * what depends on the variables is left to those. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/expr/compute.h"
#include "service/model_kind.h"
#include "service/state.h"
#include "service/tensor/convert.h"
#include "service/training/accumulation.h"
#include "service/training/optimizer_config.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct change_unit {
    struct service *service;
    const char *model, *name;
    const struct optimizer_spec *spec;
    const struct write_options *options;
    bool create; /* make it when missing, and take what is not stated as the default */
    bool *created;
    struct optimizer_config *out;
};

/* --- hyper-parameters ---------------------------------------------------------------------- */

static uint32_t
wanted_slots(const struct optimizer *optimizer, const void *params)
{
    uint32_t set = 0;

    for (uint32_t i = 0; i < optimizer_slot_count(optimizer); i++)
        set |= (uint32_t)optimizer_slot_wanted(optimizer, i, params) << i;
    return set;
}

static uint32_t
wanted_count(const struct optimizer_config *config)
{
    return (uint32_t)__builtin_popcount(wanted_slots(config->optimizer, config->params));
}

/* Formulas take them as float32, as TensorFlow's do, and most of all numbers are none there. */
static enum err_code
check_narrow(const struct optimizer_config *config, struct err *err)
{
    const struct attr_spec *specs = config->optimizer->attrs;

    for (size_t i = 0; specs[i].name != NULL; i++) {
        double value;

        if (specs[i].kind != ATTR_KIND_F64)
            continue;
        value = *(const double *)attr_in(&specs[i], config->params);
        if (!isfinite((float)value))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: attribute '%s' is %.17g, float32 has no number over %.9g",
                           config->optimizer->name, specs[i].name, value, (double)FLT_MAX);
    }
    return OK;
}

/* Those stated over what is there. */
static enum err_code
take_params(const struct change_unit *u, bool found, struct optimizer_config *config,
            struct err *err)
{
    const struct attr_spec *specs = config->optimizer->attrs;
    uint32_t slots = found ? wanted_slots(config->optimizer, config->params) : 0;

    for (size_t i = 0; specs[i].name != NULL; i++) {
        if (u->create)
            config->given[i] = u->spec->given[i];
        if (u->create || u->spec->given[i])
            attr_copy(&specs[i], u->spec->params, config->params);
        config->given[i] |= u->spec->given[i];
    }
    TRY(attr_check(config->optimizer->name, specs, config->given, config->params, err));
    TRY(check_narrow(config, err));
    if (config->optimizer->check != NULL)
        TRY(config->optimizer->check(config->params, err));
    if (!found || wanted_slots(config->optimizer, config->params) == slots)
        return OK;
    return err_set(err, ERR_FAILED_PRECONDITION,
                   "optimizer '%s' keeps the slots it has: these hyper-parameters want others. "
                   "Delete it and make it again",
                   u->name);
}

/* --- the learning rate --------------------------------------------------------------------- */

static enum err_code
default_learning_rate(double number, struct expr_tree *out, struct err *err)
{
    const struct expr_limits limits = {
        .nodes_max = 1, .depth_max = 1, .literal_bytes_max = sizeof number};
    const struct tensor_type type = {.dtype = DTYPE_FLOAT64};
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) literal = {0};

    TRY(expr_tree_init(&tree, err));
    TRY(expr_tree_node(&tree, &limits, EXPR_LITERAL, NULL, 0, &tree.root, err));
    TRY(tensor_init(&literal, &type, sizeof number, err));
    memcpy(literal.data, &number, sizeof number);
    TRY(expr_tree_literal(&tree, &literal, &tree.root->literal, err));
    tree.root->weak = true;
    *out = TAKE(tree);
    return OK;
}

/* A scalar, in TensorFlow's words; a number; if it is written out, a finite one. */
static enum err_code
check_learning_rate(const struct expr *root, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    double number = 0;

    if (root->type.shape.rank != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "lr is not a scalar: %s (learning_rate)",
                       shape_text(&root->type.shape, text));
    if (!dtype_is_float(root->type.dtype) && !dtype_is_integer(root->type.dtype))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "learning_rate must be a number, or a variable or an expression that is "
                       "one, this is %s",
                       dtype_name(root->type.dtype));
    if (root->kind != EXPR_LITERAL)
        return OK;
    tensor_cast(root->literal.type.dtype, root->literal.data, DTYPE_FLOAT64, &number, 1);
    if (isfinite((float)number))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "learning_rate must be a finite number that float32 has, at most %.9g",
                   (double)FLT_MAX);
}

/* A stated one is written from where it is; the default becomes the record's. */
static enum err_code
take_learning_rate(const struct change_unit *u, const struct store_view *view,
                   const struct model_record *model, struct optimizer_config *config,
                   struct err *err)
{
    struct expr_tree *stated = u->spec->learning_rate;

    if (stated != NULL) {
        TRY(compute_infer(view, model->id, stated, "learning_rate", err));
        TRY(check_learning_rate(stated->root, err));
        return OK;
    }
    if (!u->create)
        return OK;
    if (config->optimizer->learning_rate_required)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: learning_rate is required",
                       config->optimizer->name);
    expr_tree_drop(&config->learning_rate);
    return default_learning_rate(config->optimizer->learning_rate_default, &config->learning_rate,
                                 err);
}

/* --- names --------------------------------------------------------------------------------- */

/* TensorFlow's constructor takes the variable that counts steps where its formula needs it. */
static enum err_code
take_global_step(const struct change_unit *u, struct optimizer_config *config, struct err *err)
{
    const char *stated = u->spec->global_step;

    if (!config->optimizer->needs_global_step) {
        if (stated == NULL)
            return OK;
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s takes no global_step: it is given with each step",
                       config->optimizer->name);
    }
    if (stated == NULL && config->global_step[0] == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: global_step is required: the variable that counts steps",
                       config->optimizer->name);
    if (stated == NULL)
        return OK;
    TRY(name_check("variable", stated, err));
    snprintf(config->global_step, sizeof config->global_step, "%s", stated);
    return OK;
}

static enum err_code
take_suffix(const struct change_unit *u, bool found, struct optimizer_config *config,
            struct err *err)
{
    const char *stated = u->spec->suffix;

    if (found) {
        if (stated == NULL || strcmp(stated, config->suffix) == 0)
            return OK;
        return err_set(err, ERR_ALREADY_EXISTS,
                       "optimizer '%s' exists with name '%s', not '%.64s': its slots have it",
                       u->name, config->suffix, stated);
    }
    if (stated == NULL)
        stated = config->optimizer->tf_name;
    if (stated[0] == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT, "Must specify the optimizer name");
    if (strlen(stated) > OPTIMIZER_SUFFIX_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a name of slots of %zu bytes, at most %d are legal", strlen(stated),
                       OPTIMIZER_SUFFIX_BYTES_MAX);
    TRY(name_check("slot", stated, err));
    snprintf(config->suffix, sizeof config->suffix, "%s", stated);
    return OK;
}

static bool
shares_power(const struct optimizer *a, const struct optimizer *b)
{
    for (uint32_t i = 0; i < optimizer_power_count(a); i++)
        for (uint32_t k = 0; k < optimizer_power_count(b); k++)
            if (strcmp(a->powers[i].name, b->powers[k].name) == 0)
                return true;
    return false;
}

/* A new optimizer's slots and powers are counted from behind those that are there. */
static enum err_code
count_on(void *context, const struct optimizer_config *other, struct err *err)
{
    struct optimizer_config *config = context;
    uint32_t end = other->slot_base + wanted_count(other);

    (void)err;
    if (strcmp(config->suffix, other->suffix) == 0 && end > config->slot_base)
        config->slot_base = end;
    if (shares_power(config->optimizer, other->optimizer) &&
        other->power_base >= config->power_base)
        config->power_base = other->power_base + 1;
    return OK;
}

/* "Adam_1" is the second slot of one called Adam, and may be the first of one called that. */
static enum err_code
check_apart(void *context, const struct optimizer_config *other, struct err *err)
{
    const struct optimizer_config *config = context;
    char ours[NAME_BYTES_MAX + 1], theirs[NAME_BYTES_MAX + 1];

    for (uint32_t i = 0; i < optimizer_slot_count(config->optimizer); i++) {
        if (!optimizer_slot_wanted(config->optimizer, i, config->params))
            continue;
        optimizer_config_slot_suffix(config, i, ours);
        for (uint32_t k = 0; k < optimizer_slot_count(other->optimizer); k++) {
            if (!optimizer_slot_wanted(other->optimizer, k, other->params))
                continue;
            optimizer_config_slot_suffix(other, k, theirs);
            if (strcmp(ours, theirs) == 0)
                return err_set(err, ERR_ALREADY_EXISTS,
                               "slots called '%s' are those of optimizer '%s': give another name",
                               ours, other->name);
        }
    }
    return OK;
}

static enum err_code
number_slots(const struct store_view *view, uint64_t model_id, struct optimizer_config *config,
             struct err *err)
{
    TRY(model_kind_check_count(view, model_id, &optimizer_config_kind, err));
    TRY(optimizer_config_each(view, model_id, count_on, config, err));
    return optimizer_config_each(view, model_id, check_apart, config, err);
}

/* --- creating and changing ----------------------------------------------------------------- */

static enum err_code
begin_new(const struct change_unit *u, struct store_txn *txn, struct optimizer_config *config,
          struct err *err)
{
    const struct optimizer *optimizer = u->spec->optimizer;

    config->optimizer = optimizer;
    config->id = store_new_id(u->service->store);
    config->created_ms = clock_wall_ms();
    config->created_revision = store_txn_revision(txn);
    snprintf(config->name, sizeof config->name, "%s", u->name);
    config->params = mem_zeroed(1, optimizer->params_size, err);
    config->given = mem_zeroed(attr_count(optimizer->attrs), sizeof *config->given, err);
    return config->params != NULL && config->given != NULL ? OK : ERR_NO_MEMORY;
}

static enum err_code
check_type(const struct change_unit *u, const struct optimizer_config *config, struct err *err)
{
    const struct optimizer *stated = u->spec->optimizer;

    if (stated == NULL || stated == config->optimizer)
        return OK;
    return err_set(err, ERR_ALREADY_EXISTS, "optimizer '%s' exists with type %s, not %s", u->name,
                   config->optimizer->name, stated->name);
}

/* Writes the record, and gives it out as it will be read. */
static enum err_code
put(const struct change_unit *u, struct store_txn *txn, const struct model_record *model,
    struct optimizer_config *config, struct err *err)
{
    AUTO(expr_tree) kept = {0};
    bool found = false;
    enum err_code code;

    config->updated_ms = clock_wall_ms();
    config->revision = store_txn_revision(txn);
    if (u->spec->learning_rate != NULL) { /* borrowed for as long as it is written */
        kept = TAKE(config->learning_rate);
        config->learning_rate = *u->spec->learning_rate;
    }
    code = record_put_optimizer(txn, model->id, config, err);
    if (u->spec->learning_rate != NULL)
        config->learning_rate = TAKE(kept);
    TRY(code);
    TRY(service_change_usage(txn, model->id, &(struct usage_change){0}, err));
    optimizer_config_drop(u->out);
    return record_get_optimizer(store_txn_view(txn), model->id, u->name, &found, u->out, err);
}

static enum err_code
change_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct change_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    AUTO(optimizer_config) config = {0};
    struct model_record model;
    bool found = false;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(record_get_optimizer(view, model.id, u->name, &found, &config, err));
    TRY(service_check_conditions(u->options, "optimizer", u->name, found, config.revision, err));
    if (!found && !u->create)
        return optimizer_config_load(view, model.id, u->name, &config, err);
    if (found)
        TRY(check_type(u, &config, err));
    else
        TRY(begin_new(u, txn, &config, err));
    TRY(take_suffix(u, found, &config, err));
    TRY(take_params(u, found, &config, err));
    TRY(take_global_step(u, &config, err));
    TRY(take_learning_rate(u, view, &model, &config, err));
    if (!found)
        TRY(number_slots(view, model.id, &config, err));
    *u->created = !found;
    return put(u, txn, &model, &config, err);
}

static enum err_code
change(struct change_unit *u, uint64_t *revision, struct err *err)
{
    enum err_code code;

    TRY(name_check("optimizer", u->name, err));
    code = service_commit(u->service, change_unit, u, u->options, NULL, revision, err);
    if (code == OK)
        return OK;
    err_about(err, "optimizer", u->name);
    optimizer_config_drop(u->out);
    return code;
}

enum err_code
optimizer_create(struct service *service, const char *model, const char *name,
                 const struct optimizer_spec *spec, const struct write_options *options,
                 bool *created, struct optimizer_config *out, uint64_t *revision, struct err *err)
{
    struct change_unit u = {.service = service,
                            .model = model,
                            .name = name,
                            .spec = spec,
                            .options = options,
                            .create = true,
                            .created = created,
                            .out = out};

    return change(&u, revision, err);
}

enum err_code
optimizer_patch(struct service *service, const char *model, const char *name,
                const struct optimizer_spec *spec, const struct write_options *options,
                struct optimizer_config *out, uint64_t *revision, struct err *err)
{
    bool created = false;
    struct change_unit u = {.service = service,
                            .model = model,
                            .name = name,
                            .spec = spec,
                            .options = options,
                            .created = &created,
                            .out = out};

    return change(&u, revision, err);
}

/* --- deleting ------------------------------------------------------------------------------ */

static enum err_code
remove_optimizer(struct store_txn *txn, uint64_t model_id, const char *name,
                 const struct write_options *options, struct err *err)
{
    AUTO(optimizer_config) config = {0};
    struct record_key applies = record_key_applies(model_id, name);

    TRY(optimizer_config_load(store_txn_view(txn), model_id, name, &config, err));
    TRY(service_check_conditions(options, "optimizer", name, true, config.revision, err));
    TRY(store_delete(txn, record_key_bytes(&applies), err));
    return accumulation_remove_all(txn, model_id, name, err);
}

enum err_code
optimizer_delete(struct service *service, const char *model, const char *name,
                 const struct write_options *options, uint64_t *revision, struct err *err)
{
    TRY(model_kind_delete(service, model, &optimizer_config_kind, name, remove_optimizer, options,
                          revision, err));
    service_wake_up(service, SERVICE_TOPIC_ALL); /* who waits for its steps waits in vain */
    return OK;
}
