/* A walk over all models and their variables in one snapshot: each record says where its variable
 * is and how much its value takes. */
#include "service/placement/task_usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { INTERRUPT_VARIABLES = 1024 };

struct walk {
    struct service *service;
    const struct store_view *view;
    struct task_usages *usages;
    struct task_memo memo;
    uint64_t variables, variables_max;
    bool initialized; /* the variable that is looked at */
    /* The number of the variable that counted last, by task and by missing name. */
    uint64_t *counted; /* borrowed */
    uint64_t missing_counted[TASK_MISSING_MAX];
};

const struct cluster *
service_cluster(const struct service *service)
{
    return service->cluster;
}

const struct device_set *
service_devices(const struct service *service)
{
    return service->devices;
}

void
task_usages_drop(struct task_usages *usages)
{
    mem_free(usages->tasks);
    usages->tasks = NULL;
}

/* --- what is not there ---------------------------------------------------------------------- */

/* "/job:ps/task:7" of "/job:ps/task:7/device:CPU:0"; what is no specification is itself. */
static void
name_missing(const char *device, char out[static DEVICE_TEXT_BYTES_MAX + 1])
{
    struct device_spec spec;

    if (device_spec_parse(device, &spec, NULL) != OK) {
        snprintf(out, DEVICE_TEXT_BYTES_MAX + 1, "%s", device);
        return;
    }
    spec.has_type = spec.has_index = false;
    device_spec_print(&spec, out);
}

static void
add_missing(struct walk *w, const char *device)
{
    struct task_usages *usages = w->usages;
    char name[DEVICE_TEXT_BYTES_MAX + 1];
    size_t i = 0;

    name_missing(device, name);
    while (i < usages->missing_count && strcmp(usages->missing[i].name, name) != 0)
        i++;
    if (i == TASK_MISSING_MAX) {
        usages->unnamed++;
        return;
    }
    if (i == usages->missing_count) {
        usages->missing_count++;
        memcpy(usages->missing[i].name, name, sizeof name);
        usages->missing[i].variables = 0;
    }
    usages->missing[i].variables += w->missing_counted[i] != w->variables;
    w->missing_counted[i] = w->variables;
}

static int
compare_missing(const void *a, const void *b)
{
    return strcmp(((const struct task_missing *)a)->name, ((const struct task_missing *)b)->name);
}

/* --- the walk ------------------------------------------------------------------------------- */

static void
add_to(void *context, const char *device, uint64_t bytes)
{
    struct walk *w = context;
    uint32_t place = task_place(&w->service->tasks, &w->memo, device);
    struct task_usage *task = &w->usages->tasks[place];
    bool first = w->counted[place] != w->variables;

    task->variables += first;
    task->initialized += first && w->initialized;
    task->bytes += bytes;
    w->counted[place] = w->variables;
    if (place == w->usages->count)
        add_missing(w, device);
}

static enum err_code
add_variable(struct walk *w, struct bytes record, struct err *err)
{
    struct variable_record variable;

    TRY(record_decode_variable(record, &variable, err));
    w->initialized = variable.value.kind != VALUE_NONE;
    return task_each_device(w->view, &variable, variable.value.size, add_to, w, err);
}

static enum err_code
add_model(struct walk *w, uint64_t model_id, struct err *err)
{
    struct record_key prefix = record_key_variable(model_id, "");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(w->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        w->usages->complete = w->variables < w->variables_max;
        if (!w->usages->complete)
            return OK;
        if (++w->variables % INTERRUPT_VARIABLES == 0)
            TRY(service_check_interrupt(w->service, err));
        TRY(add_variable(w, record, err));
    }
}

static enum err_code
add_models(struct walk *w, struct err *err)
{
    struct record_key prefix = record_key_model("");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(w->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    while (w->usages->complete) {
        struct model_record model;

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        if (!found)
            return OK;
        TRY(record_decode_model(record, &model, err));
        TRY(add_model(w, model.id, err));
    }
    return OK;
}

void
task_usage_counted(const struct service *service, size_t place, struct task_usage *out)
{
    struct task_counter *counter = &service->tasks.counters[place];

    out->commits = atomic_load_explicit(&counter->commits, memory_order_relaxed);
    out->written_bytes = atomic_load_explicit(&counter->written_bytes, memory_order_relaxed);
}

enum err_code
task_usages_read(struct service *service, uint64_t variables_max, struct task_usages *out,
                 struct err *err)
{
    AUTO(task_usages) usages = {.complete = true, .count = service->cluster->task_count};
    struct walk walk = {.service = service, .usages = &usages, .variables_max = variables_max};
    AUTO_CALL(mem_free_scope) uint64_t *counted = NULL;
    AUTO_SNAPSHOT snapshot = NULL;

    usages.tasks = mem_zeroed(usages.count + 1, sizeof *usages.tasks, err);
    counted = mem_zeroed(usages.count + 1, sizeof *counted, err);
    if (usages.tasks == NULL || counted == NULL)
        return ERR_NO_MEMORY;
    walk.counted = counted;
    for (size_t i = 0; i <= usages.count; i++)
        task_usage_counted(service, i, &usages.tasks[i]);
    for (size_t i = 0; i < service->devices->count; i++)
        usages.tasks[service->tasks.of_devices[i]].devices++;
    TRY(store_snapshot_open(service->store, &snapshot, err));
    walk.view = store_snapshot_view(snapshot);
    usages.revision = store_view_revision(walk.view);
    TRY(add_models(&walk, err));
    if (usages.missing_count > 1)
        qsort(usages.missing, usages.missing_count, sizeof *usages.missing, compare_missing);
    *out = TAKE(usages);
    return OK;
}
