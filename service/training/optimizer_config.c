/* Looking at a model's optimizers, and the names of their slots. */
#include "service/training/optimizer_config.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/model_kind.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

void
optimizer_config_drop(struct optimizer_config *config)
{
    mem_free(config->params);
    mem_free(config->given);
    expr_tree_drop(&config->learning_rate);
    *config = (struct optimizer_config){0};
}

enum err_code
optimizer_config_load(const struct store_view *view, uint64_t model_id, const char *name,
                      struct optimizer_config *out, struct err *err)
{
    bool found = false;

    TRY(record_get_optimizer(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no optimizer '%s'", name);
    err_about(err, "optimizer", name);
    return ERR_NOT_FOUND;
}

/* --- names --------------------------------------------------------------------------------- */

/* The first of a name is plain, as TensorFlow's unique_name has it. */
static void
numbered(const char *name, uint32_t number, char out[static NAME_BYTES_MAX + 1])
{
    if (number == 0)
        snprintf(out, NAME_BYTES_MAX + 1, "%.*s", OPTIMIZER_SUFFIX_BYTES_MAX, name);
    else
        snprintf(out, NAME_BYTES_MAX + 1, "%.*s_%" PRIu32, OPTIMIZER_SUFFIX_BYTES_MAX, name,
                 number);
}

/* Slots that are not wanted take no number. */
static uint32_t
slot_number(const struct optimizer_config *config, uint32_t slot)
{
    uint32_t number = config->slot_base;

    for (uint32_t i = 0; i < slot; i++)
        number += optimizer_slot_wanted(config->optimizer, i, config->params);
    return number;
}

void
optimizer_config_slot_suffix(const struct optimizer_config *config, uint32_t slot,
                             char out[static NAME_BYTES_MAX + 1])
{
    numbered(config->suffix, slot_number(config, slot), out);
}

enum err_code
optimizer_config_slot_name(const struct optimizer_config *config, const char *variable,
                           uint32_t slot, char out[static NAME_BYTES_MAX + 1], struct err *err)
{
    char suffix[NAME_BYTES_MAX + 1];
    size_t head = strlen(variable), length;

    CHECK(optimizer_slot_wanted(config->optimizer, slot, config->params));
    optimizer_config_slot_suffix(config, slot, suffix);
    length = head + 1 + strlen(suffix);
    if (length <= NAME_BYTES_MAX) {
        memcpy(out, variable, head);
        out[head] = '/';
        memcpy(out + head + 1, suffix, strlen(suffix) + 1);
        return OK;
    }
    err_about(err, "variable", variable);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the slot '%s' of optimizer '%s' for variable '%s' would have a name of %zu "
                   "bytes, at most %d are legal",
                   config->optimizer->slots[slot].name, config->name, variable, length,
                   NAME_BYTES_MAX);
}

void
optimizer_config_power_name(const struct optimizer_config *config, uint32_t power,
                            char out[static NAME_BYTES_MAX + 1])
{
    numbered(config->optimizer->powers[power].name, config->power_base, out);
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
optimizer_get(struct service *service, const char *model, const char *name,
              struct optimizer_config *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record record;
    const struct store_view *view;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    return optimizer_config_load(view, record.id, name, out, err);
}

const struct model_kind optimizer_config_kind = {.noun = "optimizer",
                                                 .plural = "optimizers",
                                                 .count_max = OPTIMIZER_CONFIGS_MAX,
                                                 .key = record_key_optimizer};

struct listing {
    optimizer_visit *visit;
    void *context;
};

static enum err_code
visit_record(void *context, const char *name, struct bytes record, struct err *err)
{
    const struct listing *listing = context;
    AUTO(optimizer_config) config = {0};

    TRY(record_decode_optimizer(record, &config, err));
    snprintf(config.name, sizeof config.name, "%s", name);
    return listing->visit(listing->context, &config, err);
}

enum err_code
optimizer_config_each(const struct store_view *view, uint64_t model_id, optimizer_visit *visit,
                      void *context, struct err *err)
{
    struct listing listing = {visit, context};
    bool more = false;

    return model_kind_each(view, model_id, &optimizer_config_kind, NULL, OPTIMIZER_CONFIGS_MAX,
                           visit_record, &listing, &more, err);
}

enum err_code
optimizer_list(struct service *service, const char *model, const char *after, size_t count_max,
               optimizer_visit *visit, void *context, bool *more, uint64_t *revision,
               struct err *err)
{
    struct listing listing = {visit, context};

    return model_kind_page(service, model, &optimizer_config_kind, after, count_max, visit_record,
                           &listing, more, revision, err);
}
