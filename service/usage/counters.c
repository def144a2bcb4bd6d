#include "service/usage/counters.h"

#include "service/state.h"
#include "service/watch/history.h"
#include "store/base/scope.h"

void
service_count_step(struct service *service, const struct optimizer *type)
{
    atomic_fetch_add_explicit(&service->steps[optimizer_index(type)], 1, memory_order_relaxed);
}

static enum err_code
add_model(const struct store_view *view, struct bytes value, struct service_counters *out,
          struct err *err)
{
    struct model_record model;
    struct usage_record usage;

    TRY(record_decode_model(value, &model, err));
    TRY(record_get_usage(view, model.id, &usage, err));
    out->models++;
    out->logical_bytes += usage.bytes + usage.checkpoint_bytes;
    return OK;
}

static enum err_code
add_models(const struct store_view *view, uint64_t models_max, struct service_counters *out,
           struct err *err)
{
    struct record_key prefix = record_key_model("");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        bool found = true;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        out->complete = !found;
        if (!found || out->models == models_max)
            return OK;
        TRY(add_model(view, value, out, err));
    }
}

enum err_code
service_counters_read(struct service *service, uint64_t models_max, struct service_counters *out,
                      struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;

    *out = (struct service_counters){.complete = false};
    for (size_t i = 0; i < OPTIMIZER_COUNT; i++)
        out->steps[i] = atomic_load_explicit(&service->steps[i], memory_order_relaxed);
    out->snapshots = history_thread_snapshots(service->history);
    TRY(store_stats_read(service->store, &out->store, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    return add_models(store_snapshot_view(snapshot), models_max, out, err);
}
