/* What is said about a checkpoint, without a change of its tensors. */
#include <stdio.h>

#include "service/commit.h"
#include "service/saving/checkpoint.h"
#include "service/state.h"

struct patch_unit {
    const char *model, *name;
    const struct checkpoint_patch_spec *spec;
    const struct write_options *options;
    struct checkpoint_info *out;
};

static enum err_code
patch_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct patch_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct checkpoint_record *record = &u->out->record;
    struct model_record model;

    snprintf(u->out->name, sizeof u->out->name, "%s", u->name);
    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_checkpoint(view, model.id, u->name, record, err));
    TRY(service_check_conditions(u->options, "checkpoint", u->name, true, record->changed_revision,
                                 err));
    if (u->spec->has_pinned)
        record->pinned = u->spec->pinned;
    if (u->spec->has_labels)
        TRY(record_labels_set(&record->labels, u->spec->labels, u->spec->label_count, err));
    record->changed_revision = store_txn_revision(txn);
    TRY(record_put_checkpoint(txn, model.id, u->name, record, err));
    return service_change_usage(txn, model.id, &(struct usage_change){0}, err);
}

enum err_code
checkpoint_patch(struct service *service, const char *model, const char *name,
                 const struct checkpoint_patch_spec *spec, const struct write_options *options,
                 struct checkpoint_info *out, uint64_t *revision, struct err *err)
{
    struct patch_unit u = {
        .model = model, .name = name, .spec = spec, .options = options, .out = out};

    *out = (struct checkpoint_info){.replaced = false};
    TRY(name_check("checkpoint", name, err));
    return service_commit(service, patch_unit, &u, options, NULL, revision, err);
}
