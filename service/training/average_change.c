/* Moving averages made, changed and deleted. Their sets grow by runs. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/expr/compute.h"
#include "service/key_walk.h"
#include "service/model_kind.h"
#include "service/state.h"
#include "service/training/average.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct change_unit {
    struct service *service;
    const char *model, *name;
    const struct average_spec *spec;
    const struct write_options *options;
    bool *created;
    struct average_config *out;
};

/* A number, or what is one; the variables it reads must be there, with or without a value. */
static enum err_code
check_num_updates(const struct store_view *view, const struct model_record *model,
                  struct expr_tree *tree, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(compute_infer(view, model->id, tree, "num_updates", err));
    if (tree->root->type.shape.rank == 0 &&
        (dtype_is_float(tree->root->type.dtype) || dtype_is_integer(tree->root->type.dtype)))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "num_updates must be one number, it is %s",
                   tensor_type_text(&tree->root->type, text));
}

static enum err_code
check_suffix(const char *suffix, struct err *err)
{
    if (strlen(suffix) > AVERAGE_SUFFIX_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a name of shadows of %zu bytes, at most %d are legal", strlen(suffix),
                       AVERAGE_SUFFIX_BYTES_MAX);
    return name_check("shadow", suffix, err);
}

static enum err_code
take_suffix(const struct change_unit *u, bool found, struct average_config *config, struct err *err)
{
    const char *stated = u->spec->suffix;

    if (found && (stated == NULL || strcmp(stated, config->suffix) == 0))
        return OK;
    if (found)
        return err_set(err, ERR_ALREADY_EXISTS,
                       "moving_averages '%s' exists with name '%s', not '%.64s': its shadows have "
                       "it",
                       u->name, config->suffix, stated);
    if (stated == NULL)
        stated = AVERAGE_SUFFIX_DEFAULT;
    TRY(check_suffix(stated, err));
    snprintf(config->suffix, sizeof config->suffix, "%s", stated);
    return OK;
}

static enum err_code
begin_new(const struct change_unit *u, struct store_txn *txn, uint64_t model_id,
          struct average_config *config, struct err *err)
{
    TRY(model_kind_check_count(store_txn_view(txn), model_id, &average_kind, err));
    config->id = store_new_id(u->service->store);
    config->created_ms = clock_wall_ms();
    config->created_revision = store_txn_revision(txn);
    snprintf(config->name, sizeof config->name, "%s", u->name);
    return OK;
}

/* Writes the record, and gives it out as it will be read. */
static enum err_code
put(const struct change_unit *u, struct store_txn *txn, const struct model_record *model,
    struct average_config *config, struct err *err)
{
    bool found = false;
    enum err_code code;

    config->decay = u->spec->decay;
    config->zero_debias = u->spec->zero_debias;
    config->updated_ms = clock_wall_ms();
    config->revision = store_txn_revision(txn);
    expr_tree_drop(&config->num_updates);
    config->has_num_updates = u->spec->num_updates != NULL;
    if (config->has_num_updates)
        config->num_updates = *u->spec->num_updates; /* borrowed for as long as it is written */
    code = record_put_average(txn, model->id, config, err);
    config->num_updates = (struct expr_tree){0};
    TRY(code);
    TRY(service_change_usage(txn, model->id, &(struct usage_change){0}, err));
    average_config_drop(u->out);
    return record_get_average(store_txn_view(txn), model->id, u->name, &found, u->out, err);
}

static enum err_code
change_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct change_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    AUTO(average_config) config = {0};
    struct model_record model;
    bool found = false;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(record_get_average(view, model.id, u->name, &found, &config, err));
    TRY(service_check_conditions(u->options, "moving_averages", u->name, found, config.revision,
                                 err));
    if (!found)
        TRY(begin_new(u, txn, model.id, &config, err));
    TRY(take_suffix(u, found, &config, err));
    if (!isfinite((float)u->spec->decay))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the decay must be a finite number that float32 has, at most %.9g",
                       (double)FLT_MAX);
    if (u->spec->num_updates != NULL)
        TRY(check_num_updates(view, &model, u->spec->num_updates, err));
    *u->created = !found;
    return put(u, txn, &model, &config, err);
}

enum err_code
average_create(struct service *service, const char *model, const char *name,
               const struct average_spec *spec, const struct write_options *options, bool *created,
               struct average_config *out, uint64_t *revision, struct err *err)
{
    struct change_unit u = {.service = service,
                            .model = model,
                            .name = name,
                            .spec = spec,
                            .options = options,
                            .created = created,
                            .out = out};
    enum err_code code;

    TRY(name_check("moving average", name, err));
    code = service_commit(service, change_unit, &u, options, NULL, revision, err);
    if (code == OK)
        return OK;
    err_about(err, "moving_averages", name);
    average_config_drop(out);
    return code;
}

/* --- deleting ------------------------------------------------------------------------------ */

enum err_code
average_release(struct store_txn *txn, uint64_t average_id, struct err *err)
{
    struct record_key prefix = record_key_member(average_id, "");

    return key_walk_delete(txn, &prefix, NULL, err);
}

static enum err_code
remove_average(struct store_txn *txn, uint64_t model_id, const char *name,
               const struct write_options *options, struct err *err)
{
    AUTO(average_config) config = {0};

    TRY(average_config_load(store_txn_view(txn), model_id, name, &config, err));
    TRY(service_check_conditions(options, "moving_averages", name, true, config.revision, err));
    return average_release(txn, config.id, err);
}

enum err_code
average_delete(struct service *service, const char *model, const char *name,
               const struct write_options *options, uint64_t *revision, struct err *err)
{
    return model_kind_delete(service, model, &average_kind, name, remove_average, options, revision,
                             err);
}
