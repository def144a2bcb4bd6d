#include "service/training/accumulation.h"

#include <stdio.h>

#include "service/commit.h"
#include "service/key_walk.h"
#include "service/state.h"
#include "service/training/optimizer_config.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/scope.h"
#include "store/key.h"

enum err_code
accumulation_check_key(const char *kind, const char *key, struct err *err)
{
    size_t size = strlen(key);

    if (size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the %s is empty", kind);
    if (size > ACCUMULATION_KEY_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "the %s has %zu characters, at most %d are legal",
                       kind, size, ACCUMULATION_KEY_BYTES_MAX);
    for (size_t i = 0; i < size; i++)
        if (key[i] <= 0x20 || key[i] >= 0x7F || strchr("/:%", key[i]) != NULL)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the %s is made of visible ASCII characters without '/', ':' and '%%', "
                           "number %zu of this one is byte 0x%02x",
                           kind, i + 1, (unsigned)(uint8_t)key[i]);
    if (strcmp(key, ".") == 0 || strcmp(key, "..") == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no legal %s", key, kind);
    return OK;
}

uint64_t
accumulation_topic(const char *model, const char *optimizer, const char *key)
{
    const char *const names[] = {"accumulation", model, optimizer, key, NULL};

    return service_topic(names);
}

bool
accumulation_expired(const struct service_limits *limits, const struct accumulation_record *record,
                     uint64_t now_ms)
{
    return now_ms > record->updated_ms &&
           now_ms - record->updated_ms >= limits->accumulation_keep_ms;
}

const struct applied_step *
accumulation_step(const struct steps_record *steps, const char *key)
{
    for (uint32_t i = steps->count; i > 0; i--)
        if (strcmp(steps->steps[i - 1].key, key) == 0)
            return &steps->steps[i - 1];
    return NULL;
}

/* --- removing ------------------------------------------------------------------------------ */

static enum err_code
release_sum(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct sum_record sum;
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_sum(record, &sum, err));
    TRY(value_release(txn, &sum.values, err));
    TRY(value_release(txn, &sum.numbers, err));
    return value_release(txn, &sum.counts, err);
}

enum err_code
accumulation_release(struct store_txn *txn, uint64_t id, struct err *err)
{
    struct record_key sums = record_key_sum(id, ""), workers = record_key_worker(id, "");

    TRY(key_walk_delete(txn, &sums, release_sum, err));
    return key_walk_delete(txn, &workers, NULL, err);
}

static enum err_code
remove_at(struct store_txn *txn, struct bytes key, const struct accumulation_record *record,
          struct err *err)
{
    TRY(accumulation_release(txn, record->id, err));
    return store_delete(txn, key, err);
}

enum err_code
accumulation_remove_expired(struct store_txn *txn, const struct service_limits *limits,
                            uint64_t model_id, const char *optimizer, const char *key, size_t *open,
                            struct err *err)
{
    struct record_key prefix = record_key_accumulations(model_id, optimizer);
    struct record_key own = record_key_accumulation(model_id, optimizer, key);
    uint64_t now_ms = clock_wall_ms();
    AUTO(key_walk) walk;
    struct bytes at, bytes;
    bool found = true;

    *open = 0;
    key_walk_init(&walk, store_txn_view(txn), &prefix);
    for (;;) {
        struct accumulation_record record;

        TRY(key_walk_next(&walk, &found, &at, err));
        if (!found)
            return OK;
        if (bytes_equal(at, record_key_bytes(&own)))
            continue;
        TRY(store_get(store_txn_view(txn), at, &bytes, err));
        TRY(record_decode_accumulation(bytes, &record, err));
        if (accumulation_expired(limits, &record, now_ms))
            TRY(remove_at(txn, at, &record, err));
        else
            *open += 1;
    }
}

static enum err_code
remove_under(struct store_txn *txn, const struct record_key *prefix, struct err *err)
{
    AUTO(key_walk) walk;
    struct bytes at, bytes;
    bool found = true;

    key_walk_init(&walk, store_txn_view(txn), prefix);
    for (;;) {
        struct accumulation_record record;

        TRY(key_walk_next(&walk, &found, &at, err));
        if (!found)
            return OK;
        TRY(store_get(store_txn_view(txn), at, &bytes, err));
        TRY(record_decode_accumulation(bytes, &record, err));
        TRY(remove_at(txn, at, &record, err));
    }
}

enum err_code
accumulation_remove_all(struct store_txn *txn, uint64_t model_id, const char *optimizer,
                        struct err *err)
{
    struct record_key open = optimizer != NULL ? record_key_accumulations(model_id, optimizer)
                                               : record_key_model_accumulations(model_id);
    struct record_key steps = record_key_steps(model_id, optimizer != NULL ? optimizer : "");

    TRY(remove_under(txn, &open, err));
    return optimizer != NULL ? store_delete(txn, record_key_bytes(&steps), err)
                             : key_walk_delete(txn, &steps, NULL, err);
}

struct delete_unit {
    struct service *service;
    const char *model, *optimizer, *key;
    const struct write_options *options;
};

static enum err_code
no_accumulation(const char *optimizer, const char *key, struct err *err)
{
    (void)err_set(err, ERR_NOT_FOUND,
                  "optimizer '%s' has no accumulation '%s': none was begun, or it was deleted, has "
                  "expired (accumulation_keep_ms), or was applied more than %d others ago",
                  optimizer, key, ACCUMULATION_STEPS_MAX);
    err_about(err, "accumulation", key);
    return ERR_NOT_FOUND;
}

/* The model and its optimizer, for what is asked of its accumulations. */
static enum err_code
find_optimizer(const struct store_view *view, const char *model, const char *optimizer,
               uint64_t *model_id, struct err *err)
{
    AUTO(optimizer_config) config = {0};
    struct model_record record;

    TRY(service_find_model(view, model, &record, err));
    TRY(optimizer_config_load(view, record.id, optimizer, &config, err));
    *model_id = record.id;
    return OK;
}

static enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct delete_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct accumulation_record record;
    struct steps_record steps;
    struct record_key key;
    uint64_t model_id = 0;
    bool found = false;

    TRY(find_optimizer(view, u->model, u->optimizer, &model_id, err));
    TRY(record_get_accumulation(view, model_id, u->optimizer, u->key, &found, &record, err));
    if (!found) {
        TRY(record_get_steps(view, model_id, u->optimizer, &steps, err));
        if (accumulation_step(&steps, u->key) == NULL)
            return no_accumulation(u->optimizer, u->key, err);
        (void)err_set(
            err, ERR_FAILED_PRECONDITION,
            "accumulation '%s' of optimizer '%s' was applied: there is nothing left of it "
            "to delete",
            u->key, u->optimizer);
        err_about(err, "accumulation", u->key);
        return ERR_FAILED_PRECONDITION;
    }
    TRY(service_check_conditions(u->options, "accumulation", u->key, true, record.revision, err));
    key = record_key_accumulation(model_id, u->optimizer, u->key);
    TRY(remove_at(txn, record_key_bytes(&key), &record, err));
    return service_change_usage(txn, model_id, &(struct usage_change){0}, err);
}

enum err_code
accumulation_delete(struct service *service, const char *model, const char *optimizer,
                    const char *key, const struct write_options *options, uint64_t *revision,
                    struct err *err)
{
    struct delete_unit u = {
        .service = service, .model = model, .optimizer = optimizer, .key = key, .options = options};

    TRY(name_check("optimizer", optimizer, err));
    TRY(accumulation_check_key("key", key, err));
    TRY(service_commit(service, delete_unit, &u, options, NULL, revision, err));
    service_wake_up(service, accumulation_topic(model, optimizer, key));
    return OK;
}

/* --- looking ------------------------------------------------------------------------------- */

void
accumulation_info_drop(struct accumulation_info *info)
{
    mem_free(info->workers);
    mem_free(info->variables);
    *info = (struct accumulation_info){.applied = false};
}

static void
copy_text(struct bytes text, char *out, size_t room)
{
    snprintf(out, room, "%.*s", (int)text.size, (const char *)text.data);
}

static enum err_code
read_workers(const struct store_view *view, uint64_t id, size_t count,
             struct accumulation_info *out, struct err *err)
{
    struct record_key prefix = record_key_worker(id, "");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    out->workers = mem_zeroed(count, sizeof *out->workers, err);
    if (out->workers == NULL)
        return ERR_NO_MEMORY;
    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        if (out->worker_count == count)
            return err_set(err, ERR_DATA_LOSS, "accumulation '%s' has more workers than it says",
                           out->key);
        copy_text(record_key_name(key), out->workers[out->worker_count++], sizeof *out->workers);
    }
}

static enum err_code
read_variables(const struct store_view *view, uint64_t id, size_t count,
               struct accumulation_info *out, struct err *err)
{
    struct record_key prefix = record_key_sum(id, "");
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    out->variables = mem_zeroed(count, sizeof *out->variables, err);
    if (out->variables == NULL)
        return ERR_NO_MEMORY;
    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct accumulation_variable *variable = &out->variables[out->variable_count];
        struct sum_record sum;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        if (out->variable_count == count)
            return err_set(err, ERR_DATA_LOSS, "accumulation '%s' has more sums than it says",
                           out->key);
        TRY(record_decode_sum(value, &sum, err));
        copy_text(record_key_name(key), variable->name, sizeof variable->name);
        variable->type = sum.type;
        variable->sparse = sum.sparse;
        variable->rows = sum.rows;
        out->variable_count++;
    }
}

static enum err_code
fill_open(const struct store_view *view, const struct service_limits *limits, const char *key,
          const struct accumulation_record *record, struct accumulation_info *out, struct err *err)
{
    *out = (struct accumulation_info){
        .count = record->count,
        .replicas = record->replicas,
        .revision = record->revision,
        .started_ms = record->started_ms,
        .started_revision = record->started_revision,
        .updated_ms = record->updated_ms,
        .expires_ms = record->updated_ms + limits->accumulation_keep_ms,
    };
    snprintf(out->key, sizeof out->key, "%s", key);
    TRY(read_workers(view, record->id, record->workers, out, err));
    return read_variables(view, record->id, record->sums, out, err);
}

static void
fill_applied(const struct applied_step *step, struct accumulation_info *out)
{
    *out = (struct accumulation_info){
        .applied = true,
        .count = step->replicas,
        .replicas = step->replicas,
        .revision = step->revision,
        .applied_ms = step->applied_ms,
        .has_global_step = step->has_global_step,
        .global_step = step->global_step,
    };
    memcpy(out->key, step->key, sizeof out->key);
}

static enum err_code
get(const struct store_view *view, const struct service_limits *limits, uint64_t model_id,
    const char *optimizer, const char *key, struct accumulation_info *out, struct err *err)
{
    struct accumulation_record record;
    const struct applied_step *step;
    struct steps_record steps;
    bool found = false;

    TRY(record_get_accumulation(view, model_id, optimizer, key, &found, &record, err));
    if (found && !accumulation_expired(limits, &record, clock_wall_ms()))
        return fill_open(view, limits, key, &record, out, err);
    TRY(record_get_steps(view, model_id, optimizer, &steps, err));
    step = accumulation_step(&steps, key);
    if (step == NULL)
        return no_accumulation(optimizer, key, err);
    fill_applied(step, out);
    return OK;
}

enum err_code
accumulation_get(struct service *service, const char *model, const char *optimizer, const char *key,
                 struct accumulation_info *out, struct err *err)
{
    AUTO(accumulation_info) info = {.applied = false};
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    uint64_t model_id = 0;

    TRY(name_check("optimizer", optimizer, err));
    TRY(accumulation_check_key("key", key, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(find_optimizer(view, model, optimizer, &model_id, err));
    TRY(get(view, &service->limits, model_id, optimizer, key, &info, err));
    *out = TAKE(info);
    return OK;
}

/* At most a few more than ACCUMULATIONS_OPEN_MAX. */
static enum err_code
list(const struct store_view *view, const struct service_limits *limits, uint64_t model_id,
     const char *optimizer, accumulation_visit *visit, void *context, struct err *err)
{
    struct record_key prefix = record_key_accumulations(model_id, optimizer);
    uint64_t now_ms = clock_wall_ms();
    AUTO_CURSOR cursor = NULL;
    struct bytes at, bytes;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        AUTO(accumulation_info) info = {.applied = false};
        char key[ACCUMULATION_KEY_BYTES_MAX + 1];
        struct accumulation_record record;

        TRY(store_cursor_next(cursor, &found, &at, &bytes, err));
        if (!found)
            return OK;
        TRY(record_decode_accumulation(bytes, &record, err));
        if (accumulation_expired(limits, &record, now_ms))
            continue;
        copy_text(bytes_of(at.data + prefix.size, at.size - prefix.size), key, sizeof key);
        TRY(fill_open(view, limits, key, &record, &info, err));
        TRY(visit(context, &info, err));
    }
}

enum err_code
accumulation_list(struct service *service, const char *model, const char *optimizer,
                  accumulation_visit *visit, void *context, uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    uint64_t model_id = 0;

    TRY(name_check("optimizer", optimizer, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    *revision = store_view_revision(view);
    TRY(find_optimizer(view, model, optimizer, &model_id, err));
    return list(view, &service->limits, model_id, optimizer, visit, context, err);
}
