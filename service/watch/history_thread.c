/* The thread that takes snapshots. A round looks at the variables of the models that have changed
 * since the round before; what had to wait for its time makes the next round look again. */
#include <pthread.h>

#include "service/state.h"
#include "service/watch/history_keep.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/scope.h"
#include "store/key.h"

enum {
    ROUND_MS_MAX = 1000, /* between rounds, at most */
    ROUND_MS_MIN = 10,
    SHARE_MIN = 3,        /* the first, the newest, and one between them */
    LOOKED_AT_MAX = 500,  /* variables of one snapshot of the store */
    OWED_US = 50000,      /* rests are not shorter */
    SNAPSHOT_BYTES = 768, /* with its key and its share of a page */
    RECOUNT_MS = 60000,   /* when there is no room, what was deleted is looked for so often */
    REFUSED_MS = 60000,   /* after a commit that failed */
};

struct history_thread {
    struct service *service; /* borrowed */
    pthread_t thread;
    struct lock lock;
    struct condition wake;
    bool stopping;                         /* under the lock */
    uint64_t since;                        /* revision up to which all has been seen to */
    bool deferred;                         /* something waits for its time */
    uint64_t owed_us;                      /* rest, for work done */
    _Atomic uint64_t histories, snapshots; /* written by the thread alone */
    uint64_t counted_ms;
    uint64_t new_histories;      /* among the batch */
    struct history_batch *batch; /* owned */
};

/* --- resting ------------------------------------------------------------------------------- */

/* False when it is to end. */
static bool
rest(struct history_thread *t, uint64_t ms)
{
    const uint64_t end_ms = clock_monotonic_ms() + ms;
    bool going_on;

    lock_acquire(&t->lock);
    for (uint64_t now_ms = end_ms - ms; !t->stopping && now_ms < end_ms;
         now_ms = clock_monotonic_ms())
        (void)condition_wait_ms(&t->wake, &t->lock, end_ms - now_ms);
    going_on = !t->stopping;
    lock_release(&t->lock);
    return going_on;
}

/* After so much work. */
static bool
pay(struct history_thread *t, uint64_t worked_us)
{
    const uint64_t percent = t->service->limits.history_cpu_percent;
    uint64_t owed_us;

    t->owed_us += worked_us * (100 - percent) / percent;
    if (t->owed_us < OWED_US)
        return rest(t, 0);
    owed_us = t->owed_us;
    t->owed_us = 0;
    return rest(t, owed_us / 1000);
}

/* --- room ---------------------------------------------------------------------------------- */

static enum err_code
count(const struct store_view *view, uint8_t kind, uint64_t *out, struct err *err)
{
    const uint8_t prefix[] = {kind};
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = true;

    *out = 0;
    TRY(store_cursor_open(view, bytes_of(prefix, sizeof prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        *out += 1;
    }
}

static enum err_code
recount(struct history_thread *t, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    uint64_t histories = 0, snapshots = 0;

    TRY(store_snapshot_open(t->service->store, &snapshot, err));
    TRY(count(store_snapshot_view(snapshot), STORE_KEY_HISTORY, &histories, err));
    TRY(count(store_snapshot_view(snapshot), STORE_KEY_SNAPSHOT, &snapshots, err));
    t->histories = histories;
    t->snapshots = snapshots;
    t->counted_ms = clock_monotonic_ms();
    return OK;
}

/* How many a variable that has so many may have with one more; 0: none may be added. */
static uint32_t
share_of(const struct history_thread *t, uint32_t snapshots)
{
    const uint64_t all = t->service->limits.history_bytes_max / SNAPSHOT_BYTES;
    const uint64_t kept = t->snapshots + t->batch->count; /* or about to be */
    const uint64_t variables = t->histories + t->new_histories + (snapshots == 0);
    uint64_t share = all / variables;

    if (share > RECORD_SNAPSHOTS_MAX)
        share = RECORD_SNAPSHOTS_MAX;
    if (snapshots == 0)
        return share >= HISTORY_SNAPSHOTS_MIN && kept < all ? (uint32_t)share : 0;
    if (kept >= all) /* room for it is made among its own */
        share = snapshots < share ? snapshots : share;
    return share >= SHARE_MIN ? (uint32_t)share : 0;
}

/* --- looking for what has changed ---------------------------------------------------------- */

enum due { DUE_NO, DUE_LATER, DUE_NOW };

static enum due
is_due(const struct history_thread *t, const struct variable_record *variable,
       const struct history_record *history, uint64_t now_ms)
{
    const struct service_limits *limits = &t->service->limits;

    if (variable->version < history->version + limits->history_interval_versions ||
        variable->version / history->spacing == history->version / history->spacing)
        return DUE_NO;
    if (now_ms >= history->taken_ms && now_ms - history->taken_ms < limits->history_interval_ms)
        return DUE_LATER;
    return DUE_NOW;
}

static bool
is_kept_of(const struct variable_record *variable)
{
    return variable->trainable && !variable->is_virtual && variable->value.kind != VALUE_NONE &&
           variable->value.size > 0 && kernel_statistics_known(variable->type.dtype);
}

/* Puts it among the candidates when its time has come. */
static enum err_code
look_at_variable(struct history_thread *t, const struct store_view *view,
                 const struct history_candidate *model, struct bytes name, struct bytes record,
                 struct err *err)
{
    struct history_candidate *candidate = &t->batch->candidates[t->batch->count];
    struct variable_record variable;
    struct history_record history = {.snapshots = 0};
    enum due due = DUE_NOW;
    bool found = false;

    TRY(record_decode_variable(record, &variable, err));
    if (variable.revision <= t->since || !is_kept_of(&variable))
        return OK;
    TRY(record_get_history(view, model->model_id, variable.id, &found, &history, err));
    if (found)
        due = is_due(t, &variable, &history, t->batch->now_ms);
    t->deferred |= due == DUE_LATER;
    if (due != DUE_NOW)
        return OK;
    *candidate = *model;
    candidate->taken = false;
    candidate->variable_id = variable.id;
    candidate->snapshots_max = share_of(t, found ? history.snapshots : 0);
    memcpy(candidate->name, name.data, name.size);
    candidate->name[name.size] = '\0';
    if (candidate->snapshots_max == 0)
        return OK;
    t->batch->count++;
    t->new_histories += !found;
    return OK;
}

/* Some of a model's variables, from behind `after` on, which moves. */
static enum err_code
look_at_some(struct history_thread *t, const struct history_candidate *model,
             struct record_key *after, bool *more, struct err *err)
{
    struct record_key prefix = record_key_variable(model->model_id, "");
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;

    TRY(store_snapshot_open(t->service->store, &snapshot, err));
    TRY(store_cursor_open(store_snapshot_view(snapshot), record_key_bytes(&prefix),
                          after->size > 0 ? record_key_bytes(after) : bytes_of(NULL, 0), &cursor,
                          err));
    for (int i = 0; i < LOOKED_AT_MAX && t->batch->count < HISTORY_BATCH; i++) {
        TRY(store_cursor_next(cursor, more, &key, &value, err));
        if (!*more)
            return OK;
        after->size = key.size;
        memcpy(after->bytes, key.data, key.size);
        TRY(look_at_variable(t, store_snapshot_view(snapshot), model, record_key_name(key), value,
                             err));
    }
    return OK;
}

/* --- taking snapshots ---------------------------------------------------------------------- */

static enum err_code
take(struct history_thread *t, struct history_candidate *candidate, struct err *err)
{
    const struct look_spec spec = {.model = candidate->model, .name = candidate->name};
    AUTO(look) look = {.snapshot = NULL};
    struct snapshot_record *snapshot = &candidate->snapshot;
    struct statistics statistics;

    TRY(look_open(t->service, &spec, &look, err));
    if (look.model_id != candidate->model_id || look.value.variable_id != candidate->variable_id)
        return OK;
    *snapshot = (struct snapshot_record){.version = look.value.version,
                                         .revision = look.value.revision,
                                         .time_ms = look.value.updated_ms,
                                         .has_step = look.has_step,
                                         .step = look.step};
    TRY(statistics_take_with(&look, NULL, &statistics, err));
    history_fill(snapshot, &statistics);
    candidate->taken = true;
    return OK;
}

/* What is gone meanwhile, or cannot be read, is left out; reading says so whoever reads it. False:
 * it is to end. */
static bool
take_all(struct history_thread *t)
{
    for (size_t i = 0; i < t->batch->count; i++) {
        const uint64_t begin_us = clock_monotonic_us();

        (void)take(t, &t->batch->candidates[i], NULL);
        if (!pay(t, clock_monotonic_us() - begin_us))
            return false;
    }
    return true;
}

static bool
keep_all(struct history_thread *t)
{
    struct err err = ERR_INIT;

    if (t->batch->count == 0)
        return true;
    if (history_keep(t->service->store, t->batch, &err) != OK) {
        log_failure("keeping the history of variables", &err);
        return rest(t, REFUSED_MS);
    }
    t->snapshots += (uint64_t)t->batch->snapshots;
    t->histories += (uint64_t)t->batch->histories;
    return true;
}

static bool
see_to_model(struct history_thread *t, const struct history_candidate *model, struct err *err)
{
    struct record_key after = {.size = 0};
    bool more = true;

    while (more) {
        const uint64_t begin_us = clock_monotonic_us();

        t->batch->count = 0;
        t->new_histories = 0;
        t->batch->now_ms = clock_wall_ms();
        if (look_at_some(t, model, &after, &more, err) != OK)
            return true; /* damage is told to whoever reads */
        if (!pay(t, clock_monotonic_us() - begin_us) || !take_all(t) || !keep_all(t))
            return false;
    }
    return true;
}

/* The next model behind out->model that has changed; *found false at the end. */
static enum err_code
next_model(struct history_thread *t, struct history_candidate *out, bool *found, struct err *err)
{
    struct record_key prefix = record_key_model(""), after = record_key_model(out->model);
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;

    TRY(store_snapshot_open(t->service->store, &snapshot, err));
    TRY(store_cursor_open(store_snapshot_view(snapshot), record_key_bytes(&prefix),
                          record_key_bytes(&after), &cursor, err));
    for (;;) {
        struct model_record model;
        struct usage_record usage;
        struct bytes name;

        TRY(store_cursor_next(cursor, found, &key, &value, err));
        if (!*found)
            return OK;
        TRY(record_decode_model(value, &model, err));
        TRY(record_get_usage(store_snapshot_view(snapshot), model.id, &usage, err));
        if (usage.revision <= t->since)
            continue;
        name = record_key_name(key);
        memcpy(out->model, name.data, name.size);
        out->model[name.size] = '\0';
        out->model_id = model.id;
        return OK;
    }
}

/* False: it is to end. */
static bool
round_of(struct history_thread *t, struct history_candidate *model)
{
    const uint64_t revision = store_revision(t->service->store);
    struct err err = ERR_INIT;
    bool found = true;

    if (revision == t->since)
        return true;
    if (t->snapshots >= t->service->limits.history_bytes_max / SNAPSHOT_BYTES &&
        clock_monotonic_ms() - t->counted_ms >= RECOUNT_MS)
        (void)recount(t, NULL);
    t->deferred = false;
    model->model[0] = '\0';
    while (next_model(t, model, &found, &err) == OK && found)
        if (!see_to_model(t, model, &err))
            return false;
    if (!t->deferred)
        t->since = revision;
    return true;
}

static void *
run(void *argument)
{
    struct history_thread *t = argument;
    const uint64_t interval_ms = t->service->limits.history_interval_ms;
    const uint64_t round_ms = interval_ms > ROUND_MS_MAX   ? ROUND_MS_MAX
                              : interval_ms < ROUND_MS_MIN ? ROUND_MS_MIN
                                                           : interval_ms;
    struct history_candidate *model = mem_zeroed(1, sizeof *model, NULL);

    if (model != NULL && recount(t, NULL) == OK)
        while (rest(t, round_ms) && round_of(t, model))
            continue;
    mem_free(model);
    return NULL;
}

/* --- its life ------------------------------------------------------------------------------ */

static void
drop(struct history_thread *t)
{
    condition_drop(&t->wake);
    lock_drop(&t->lock);
    mem_free(t->batch);
    mem_free(t);
}

enum err_code
history_thread_start(struct service *service, struct history_thread **out, struct err *err)
{
    struct history_thread *t;
    int rc;

    *out = NULL;
    if (service->limits.history_bytes_max < SNAPSHOT_BYTES)
        return OK;
    t = mem_zeroed(1, sizeof *t, err);
    if (t == NULL)
        return ERR_NO_MEMORY;
    t->service = service;
    t->since = store_revision(service->store);
    lock_init(&t->lock);
    condition_init(&t->wake);
    t->batch = mem_zeroed(1, sizeof *t->batch, err);
    if (t->batch == NULL) {
        drop(t);
        return ERR_NO_MEMORY;
    }
    rc = pthread_create(&t->thread, NULL, run, t);
    if (rc != 0) {
        drop(t);
        return err_set(err, ERR_UNAVAILABLE, "the thread of histories does not start: %s",
                       strerror(rc));
    }
    *out = t;
    return OK;
}

uint64_t
history_thread_snapshots(const struct history_thread *t)
{
    return t == NULL ? 0 : t->snapshots;
}

void
history_thread_interrupt(struct history_thread *t)
{
    if (t == NULL)
        return;
    lock_acquire(&t->lock);
    t->stopping = true;
    condition_signal(&t->wake);
    lock_release(&t->lock);
}

void
history_thread_stop(struct history_thread *t)
{
    if (t == NULL)
        return;
    history_thread_interrupt(t);
    (void)pthread_join(t->thread, NULL);
    drop(t);
}
