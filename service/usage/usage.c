#include "service/usage/usage.h"

#include <stdio.h>

#include "service/state.h"
#include "service/usage/tally.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

struct service_usage_work {
    struct service *service; /* borrowed */
    struct store_snapshot *snapshot;
    struct service_tally tally; /* model number i is group number i */
};

void
service_usage_drop(struct service_usage *usage)
{
    if (usage->work != NULL) {
        service_tally_drop(&usage->work->tally);
        store_snapshot_drop(usage->work->snapshot);
        mem_free(usage->work);
    }
    mem_free(usage->models);
    *usage = (struct service_usage){.revision = 0};
}

enum err_code
service_usage_open(struct service *service, struct service_usage *out, struct err *err)
{
    AUTO(service_usage) usage = {.revision = 0};

    usage.work = mem_zeroed(1, sizeof *usage.work, err);
    if (usage.work == NULL)
        return ERR_NO_MEMORY;
    usage.work->service = service;
    TRY(store_snapshot_open(service->store, &usage.work->snapshot, err));
    usage.revision = store_view_revision(store_snapshot_view(usage.work->snapshot));
    TRY(store_stats_read(service->store, &usage.store, err));
    *out = TAKE(usage);
    return OK;
}

static void
add_up(struct service_usage_model *total, const struct service_usage_model *model)
{
    total->variables += model->variables;
    total->initialized += model->initialized;
    total->variable_bytes += model->variable_bytes;
    total->checkpoints += model->checkpoints;
    total->checkpoint_bytes += model->checkpoint_bytes;
    total->common_bytes += model->common_bytes;
}

static enum err_code
add_model(struct service_usage *usage, struct bytes name, const struct model_record *record,
          struct err *err)
{
    struct service_usage_model *models =
        mem_grown(usage->models, usage->model_count, &usage->model_capacity, sizeof *models, err);
    struct service_usage_model *model;
    struct usage_record counters;
    uint32_t group = 0;

    if (models == NULL)
        return ERR_NO_MEMORY;
    usage->models = models;
    TRY(record_get_usage(store_snapshot_view(usage->work->snapshot), record->id, &counters, err));
    model = &models[usage->model_count++];
    *model = (struct service_usage_model){.variables = counters.variables,
                                          .initialized = counters.initialized,
                                          .variable_bytes = counters.bytes,
                                          .checkpoints = counters.checkpoints,
                                          .checkpoint_bytes = counters.checkpoint_bytes};
    snprintf(model->name, sizeof model->name, "%.*s", (int)name.size, (const char *)name.data);
    if (!usage->stored)
        return OK;
    TRY(service_check_interrupt(usage->work->service, err));
    return service_tally_add_model(&usage->work->tally, record->id, &group, err);
}

static enum err_code
each_model(struct service_usage *usage, struct err *err)
{
    struct record_key prefix = record_key_model("");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    TRY(store_cursor_open(store_snapshot_view(usage->work->snapshot), record_key_bytes(&prefix),
                          bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct model_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_model(value, &record, err));
        TRY(add_model(usage, record_key_name(key), &record, err));
    }
}

enum err_code
service_usage_run(struct service_usage *usage, bool stored, struct err *err)
{
    struct service_usage_work *work = usage->work;

    CHECK(work != NULL && usage->model_count == 0);
    usage->stored = stored;
    service_tally_init(&work->tally, work->service, store_snapshot_view(work->snapshot));
    TRY(each_model(usage, err));
    if (stored)
        TRY(service_tally_run(&work->tally, err));
    for (size_t i = 0; i < usage->model_count; i++) {
        struct service_usage_model *model = &usage->models[i];

        if (stored) {
            model->stored_bytes = work->tally.groups[i].stored_bytes;
            model->unique_bytes = work->tally.groups[i].unique_bytes;
            model->common_bytes = work->tally.groups[i].common_bytes;
        }
        add_up(&usage->total, model);
    }
    usage->total.stored_bytes = work->tally.stored_bytes;
    return OK;
}
