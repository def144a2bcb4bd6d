#include "service/service.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "service/device/cluster_devices.h"
#include "service/placement/task_census.h"
#include "service/state.h"
#include "service/tensor/blas.h"
#include "service/watch/history.h"
#include "service/watch/statistics_cache.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct service_limits
service_limits_default(void)
{
    return (struct service_limits){
        .tensor_bytes_max = (uint64_t)64 << 30,
        .literal_bytes_max = (uint64_t)32 << 20,
        .expression_bytes_max = (uint64_t)1 << 30,
        .expression_operations_max = (uint64_t)1000 * 1000 * 1000 * 1000,
        .compute_threads = 1,
        .expression_nodes_max = 1024,
        .expression_depth_max = 32,
        .variables_per_request_max = 20000,
        .inline_reply_bytes_max = 16384,
        .idempotency_reply_bytes_max = 256 << 10,
        .idempotency_keep_ms = (uint64_t)24 * 3600 * 1000,
        .idempotency_keys_max = 1000000,
        .accumulation_keep_ms = (uint64_t)3600 * 1000,
        .changes_max = 100000,
        .changes_bytes_max = (uint64_t)64 << 20,
        .backup_rate_max_bytes = (uint64_t)128 << 20,
        .backups_max = 2,
        .cpu_devices = 1,
        .cluster_jobs_max = 32,
        .cluster_tasks_max = 1024,
        .cluster_devices_max = 4096,
        .devices_per_request_max = 1024,
        .history_interval_ms = 1000,
        .history_interval_versions = 1,
        .history_cpu_percent = 10,
    };
}

/* Before the first request, rather than with each. */
static enum err_code
check_format(struct store *store, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;

    TRY(store_snapshot_open(store, &snapshot, err));
    return record_check_format(store_snapshot_view(snapshot), err);
}

static enum err_code
open_devices(struct service *service, struct err *err)
{
    const struct service_limits *limits = &service->limits;
    const uint32_t threads =
        limits->cpu_device_threads != 0 ? limits->cpu_device_threads : limits->compute_threads;

    if (limits->cluster == NULL)
        TRY(cluster_local(&service->local, err));
    service->cluster = limits->cluster != NULL ? limits->cluster : &service->local;
    service->devices = mem_zeroed(1, sizeof *service->devices, err);
    if (service->devices == NULL)
        return ERR_NO_MEMORY;
    TRY(cluster_devices(service->cluster, limits->cpu_devices, limits->cluster_devices_max,
                        service->devices, err));
    service->changes.tasks = &service->tasks;
    for (size_t i = 0; i < service->devices->count; i++)
        TRY(device_open(&service->devices->devices[i], threads, err));
    service->parallel = service->devices->devices[0].threads; /* a CPU's: by name they come first */
    return task_table_open(&service->tasks, service->cluster, service->devices, err);
}

enum err_code
service_open(struct store *store, const struct service_limits *limits, struct service **out,
             struct err *err)
{
    struct service *service = mem_zeroed(1, sizeof *service, err);
    enum err_code code;

    if (service == NULL)
        return ERR_NO_MEMORY;
    service->store = store;
    service->limits = *limits;
    for (size_t i = 0; i < SERVICE_UPDATE_LOCKS; i++)
        lock_init(&service->updates[i]);
    lock_init(&service->gate.lock);
    condition_init(&service->gate.moved);
    lock_init(&service->uses_lock);
    blas_set_threads(limits->compute_threads);
    code = check_format(store, err);
    if (code == OK)
        code = open_devices(service, err);
    if (code == OK)
        code = statistics_cache_open(&service->statistics, err);
    if (code == OK)
        code = task_census_open(&service->census, err);
    if (code == OK)
        code = history_thread_start(service, &service->history, err);
    if (code != OK) {
        service_close(service);
        return code;
    }
    *out = service;
    return OK;
}

void
service_close(struct service *service)
{
    if (service == NULL)
        return;
    history_thread_stop(service->history);
    for (size_t i = 0; i < SERVICE_UPDATE_LOCKS; i++)
        lock_drop(&service->updates[i]);
    condition_drop(&service->gate.moved);
    lock_drop(&service->gate.lock);
    lock_drop(&service->uses_lock);
    statistics_cache_drop(service->statistics);
    task_census_drop(service->census);
    change_log_drop(&service->changes);
    task_table_drop(&service->tasks);
    if (service->devices != NULL)
        device_set_drop(service->devices);
    mem_free(service->devices);
    cluster_drop(&service->local);
    mem_free(service);
}

struct evaluator_options
service_evaluator_options(const struct service *service)
{
    return (struct evaluator_options){
        .bytes_max = service->limits.expression_bytes_max,
        .operations_max = service->limits.expression_operations_max,
        .parallel = service->parallel,
        .interrupted = &service->interrupted,
    };
}

const struct service_limits *
service_limits_of(const struct service *service)
{
    return &service->limits;
}

uint64_t
service_revision(const struct service *service)
{
    return store_revision(service->store);
}

const char *
service_identity(const struct service *service)
{
    return store_identity(service->store);
}

const char *
service_durability_name(const struct service *service)
{
    return store_durability_name(service->store);
}

enum err_code
service_ready(struct service *service, struct err *err)
{
    struct store_stats stats;

    TRY(store_stats_read(service->store, &stats, err));
    if (stats.failed)
        return err_set(err, ERR_UNAVAILABLE,
                       "the store stopped writing after a failed sync: restart the server");
    return OK;
}

void
service_interrupt(struct service *service)
{
    atomic_store(&service->interrupted, true);
    history_thread_interrupt(service->history);
    store_interrupt(service->store);
}

void
service_on_wake(struct service *service, service_wake *wake, void *context)
{
    service->wake = wake;
    service->wake_context = context;
}

/* --- shared by the operations --- */

void
service_wake_up(const struct service *service, uint64_t topic)
{
    if (service->wake != NULL)
        service->wake(service->wake_context, topic);
}

uint64_t
service_topic(const char *const *names)
{
    uint64_t hash = BYTES_HASH_BEGIN;

    for (; *names != NULL; names++)
        hash = bytes_hash(hash, bytes_of(*names, strlen(*names) + 1)); /* no name has a NUL */
    return hash | 1;
}

enum err_code
service_check_interrupt(const struct service *service, struct err *err)
{
    if (!service->interrupted)
        return OK;
    return err_set(err, ERR_UNAVAILABLE, "the server is stopping; this was given up unfinished");
}

enum err_code
service_find_model(const struct store_view *view, const char *model, struct model_record *out,
                   struct err *err)
{
    bool found = false;

    TRY(record_get_model(view, model, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no model '%s'", model);
    err_about(err, "model", model);
    return ERR_NOT_FOUND;
}

enum err_code
service_find_variable(const struct store_view *view, uint64_t model_id, const char *name,
                      struct variable_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_variable(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no variable '%s'", name);
    err_about(err, "variable", name);
    return ERR_NOT_FOUND;
}

enum err_code
service_find_checkpoint(const struct store_view *view, uint64_t model_id, const char *name,
                        struct checkpoint_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_checkpoint(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no checkpoint '%s'", name);
    err_about(err, "checkpoint", name);
    return ERR_NOT_FOUND;
}

enum err_code
service_open_checkpoint(const struct store_view *view, uint64_t model_id, const char *name,
                        struct checkpoint_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_checkpoint(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    err_about(err, "checkpoint", name);
    return err_set(err, ERR_NOT_FOUND,
                   "there is no checkpoint '%s' (Unsuccessful TensorSliceReader constructor: "
                   "Failed to find any matching files for %s)",
                   name, name);
}

static enum err_code
condition_failed(const char *kind, const char *name, uint64_t revision, struct err *err)
{
    err_about(err, kind, name);
    if (err != NULL)
        err->current_revision = revision;
    return ERR_PRECONDITION_FAILED;
}

enum err_code
service_check_conditions(const struct write_options *options, const char *kind, const char *name,
                         bool exists, uint64_t revision, struct err *err)
{
    if (options == NULL)
        return OK;
    if (!exists)
        revision = 0;
    if (options->if_none_match && exists) {
        (void)err_set(err, ERR_PRECONDITION_FAILED,
                      "If-None-Match: * asks for a new %s, '%s' exists at revision %" PRIu64, kind,
                      name, revision);
        return condition_failed(kind, name, revision, err);
    }
    if (options->if_match_any && !exists) {
        (void)err_set(err, ERR_PRECONDITION_FAILED,
                      "If-Match: * asks for a %s that exists, there is no '%s'", kind, name);
        return condition_failed(kind, name, revision, err);
    }
    if (!options->if_match)
        return OK;
    for (uint32_t i = 0; exists && i < options->revision_count; i++) {
        if (options->revisions[i] == revision)
            return OK;
    }
    if (!exists)
        (void)err_set(err, ERR_PRECONDITION_FAILED,
                      "If-Match names a revision of %s '%s', there is none", kind, name);
    else
        (void)err_set(err, ERR_PRECONDITION_FAILED,
                      "If-Match does not name the revision of %s '%s', which is %" PRIu64, kind,
                      name, revision);
    return condition_failed(kind, name, revision, err);
}

static uint64_t
moved(uint64_t counter, int64_t change)
{
    return change < 0 ? counter - (uint64_t)-change : counter + (uint64_t)change;
}

enum err_code
service_change_usage(struct store_txn *txn, uint64_t model_id, const struct usage_change *change,
                     struct err *err)
{
    struct usage_record usage;

    TRY(record_get_usage(store_txn_view(txn), model_id, &usage, err));
    usage.revision = store_txn_revision(txn);
    usage.variables = moved(usage.variables, change->variables);
    usage.initialized = moved(usage.initialized, change->initialized);
    usage.bytes = moved(usage.bytes, change->bytes);
    usage.checkpoints = moved(usage.checkpoints, change->checkpoints);
    usage.checkpoint_bytes = moved(usage.checkpoint_bytes, change->checkpoint_bytes);
    usage.graph_nodes = moved(usage.graph_nodes, change->graph_nodes);
    if (!change->is_not_all &&
        (change->variables > 0 || change->bytes + change->checkpoint_bytes > 0))
        TRY(model_quota_check(&usage, err));
    return record_put_usage(txn, model_id, &usage, err);
}

enum err_code
service_set_value(struct store_txn *txn, struct variable_record *variable,
                  const struct shape *shape, const struct value_ref *value,
                  struct usage_change *change, struct err *err)
{
    if (variable->value.kind == VALUE_NONE)
        change->initialized += 1;
    else
        TRY(value_release(txn, &variable->value, err));
    change->bytes += (int64_t)value->size - (int64_t)variable->value.size;
    variable->value = *value;
    variable->type.shape = *shape;
    variable->shape_known = true;
    variable->version += 1;
    variable->revision = store_txn_revision(txn);
    variable->updated_ms = clock_wall_ms();
    return OK;
}

enum err_code
service_check_assignable(const struct variable_form *form, const char *name, const char *verb,
                         const struct tensor_type *type, bool validate_shape, struct err *err)
{
    char theirs[TENSOR_TYPE_TEXT_BYTES_MAX], ours[TENSOR_TYPE_TEXT_BYTES_MAX];
    bool partitioned = form->partition.count > 0; /* its parts are of this shape */

    if (type->dtype != form->type.dtype)
        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "%s '%s': dtype %s expected, the value is %s (there are no implicit casts)",
                      verb, name, dtype_name(form->type.dtype), dtype_name(type->dtype));
    else if ((validate_shape || partitioned) && form->validate_shape && form->shape_known &&
             !shape_equal(&type->shape, &form->type.shape))
        (void)err_set(err, ERR_INVALID_ARGUMENT, "%s '%s': shape %s expected, the value has %s%s",
                      verb, name, shape_text(&form->type.shape, ours),
                      shape_text(&type->shape, theirs),
                      validate_shape ? "" : " (a partitioned variable keeps its shape)");
    else
        return OK;
    err_about(err, "variable", name);
    return ERR_INVALID_ARGUMENT;
}

enum err_code
service_check_room(struct service *service, const char *name, uint64_t size_bytes,
                   uint64_t stored_bytes, struct err *err)
{
    enum err_code code = OK;

    if (size_bytes > service->limits.tensor_bytes_max)
        code = err_set(err, ERR_FULL,
                       "variable '%s' would take %" PRIu64 " bytes, over the limit of %" PRIu64
                       " bytes (tensor_max_bytes)",
                       name, size_bytes, service->limits.tensor_bytes_max);
    else if (stored_bytes > 0)
        code = store_reserve_check(service->store, stored_bytes, err);
    if (code != OK)
        err_about(err, "variable", name);
    return code;
}

enum store_class
service_class_of(const struct variable_record *variable)
{
    return variable->row_updates ? STORE_CLASS_ROWS : STORE_CLASS_BULK;
}
