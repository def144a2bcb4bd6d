/* A walk over all models in one snapshot, and over the variables of those whose counts are not
 * remembered: each record says where its variable is and how much its value takes. */
#include "service/placement/task_usage.h"

#include <stdlib.h>
#include <string.h>

#include "service/placement/task_census.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { INTERRUPT_VARIABLES = 1024 };

struct walk {
    struct service *service;
    const struct store_view *view;
    struct task_usages *usages;
    struct task_usages before; /* the model that is looked at; its tasks are owned */
    struct task_memo memo;     /* owned */
    uint64_t variables;
    uint64_t looked_at, places_max;
    bool initialized; /* the variable that is looked at */
    /* The number of the variable that counted last, by task and by missing name, and, after those,
     * of all that have none. */
    uint64_t *counted; /* owned */
    uint64_t missing_counted[TASK_MISSING_MAX + 1];
};

static void
walk_drop(struct walk *w)
{
    task_usages_drop(&w->before);
    task_memo_drop(&w->memo);
    mem_free(w->counted);
}

static enum err_code
walk_open(struct walk *w, struct err *err)
{
    size_t places = w->usages->count + 1;

    w->usages->tasks = mem_zeroed(places, sizeof *w->usages->tasks, err);
    w->before.tasks = mem_zeroed(places, sizeof *w->before.tasks, err);
    w->counted = mem_zeroed(places, sizeof *w->counted, err);
    if (w->usages->tasks == NULL || w->before.tasks == NULL || w->counted == NULL)
        return ERR_NO_MEMORY;
    return task_memo_open(&w->memo, err);
}

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

/* --- the walk ------------------------------------------------------------------------------- */

static int
compare_missing(const void *a, const void *b)
{
    return strcmp(((const struct task_missing *)a)->name, ((const struct task_missing *)b)->name);
}

/* Its number in the list is noted: names are never taken out. */
static void
add_missing(struct walk *w, struct task_spot *spot)
{
    uint64_t *count;
    size_t i;

    if (spot->note == 0)
        spot->note = 1 + (uint32_t)task_missing_find(w->usages, spot->missing);
    i = spot->note - 1;
    count = i == TASK_MISSING_MAX ? &w->usages->unnamed : &w->usages->missing[i].variables;
    *count += w->missing_counted[i] != w->variables;
    w->missing_counted[i] = w->variables;
}

static void
add_to(void *context, const char *device, uint64_t bytes)
{
    struct walk *w = context;
    struct task_spot *spot = task_find(&w->service->tasks, &w->memo, device);
    struct task_usage *task = &w->usages->tasks[spot->place];
    bool first = w->counted[spot->place] != w->variables;

    w->looked_at++;
    task->variables += first;
    task->initialized += first && w->initialized;
    task->bytes += bytes;
    w->counted[spot->place] = w->variables;
    if (spot->place == w->usages->count)
        add_missing(w, spot);
}

static enum err_code
add_variable(struct walk *w, struct bytes record, struct err *err)
{
    struct variable_record variable;

    w->variables++;
    TRY(record_decode_variable(record, &variable, err));
    w->initialized = variable.value.kind != VALUE_NONE;
    return task_each_device(w->view, &variable, variable.value.size, add_to, w, err);
}

static enum err_code
add_variables(struct walk *w, uint64_t model_id, struct err *err)
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
        w->usages->complete = w->looked_at < w->places_max;
        if (!w->usages->complete)
            return OK;
        if (w->variables % INTERRUPT_VARIABLES == 0)
            TRY(service_check_interrupt(w->service, err));
        TRY(add_variable(w, record, err));
    }
}

/* Counted again only when anything of it has changed. */
static enum err_code
add_model(struct walk *w, uint64_t model_id, struct err *err)
{
    struct task_usages *before = &w->before;
    struct usage_record usage;

    TRY(record_get_usage(w->view, model_id, &usage, err));
    if (task_census_add(w->service->census, model_id, usage.revision, w->usages))
        return OK;
    memcpy(before->tasks, w->usages->tasks, (w->usages->count + 1) * sizeof *before->tasks);
    memcpy(before->missing, w->usages->missing, w->usages->missing_count * sizeof *before->missing);
    before->missing_count = w->usages->missing_count;
    before->unnamed = w->usages->unnamed;
    TRY(add_variables(w, model_id, err));
    if (w->usages->complete)
        task_census_keep(w->service->census, model_id, usage.revision, before, w->usages);
    return OK;
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

        TRY(service_check_interrupt(w->service, err));
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
task_usages_read(struct service *service, uint64_t places_max, struct task_usages *out,
                 struct err *err)
{
    AUTO(task_usages) usages = {.complete = true, .count = service->cluster->task_count};
    AUTO(walk)
    walk = {.service = service, .usages = &usages, .places_max = places_max};
    AUTO_SNAPSHOT snapshot = NULL;

    TRY(walk_open(&walk, err));
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
