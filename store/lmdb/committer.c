#include "store/lmdb/committer.h"

#include <string.h>

#include "store/base/check.h"
#include "store/base/log.h"
#include "store/lmdb/engine.h"

enum {
    GARBAGE_RETRY_MS = 20, /* how soon to look again at garbage somebody still reads */
    GARBAGE_PILE = 1000,   /* more than this is deleted between busy batches, too */
    WAIT_MS = 1000,        /* with nothing to do */
};

void
store_committer_init(struct store_committer *c)
{
    *c = (struct store_committer){0};
    lock_init(&c->lock);
    condition_init(&c->work);
    condition_init(&c->relieved);
}

void
store_committer_drop(struct store_committer *c)
{
    CHECK(!c->running);
    condition_drop(&c->relieved);
    condition_drop(&c->work);
    lock_drop(&c->lock);
}

/* --- callers ------------------------------------------------------------------------------- */

static enum err_code
enqueue(struct store *store, struct store_call *call, struct err *err)
{
    struct store_committer *c = &store->committer;
    enum err_code code = OK;
    bool first = false;

    lock_acquire(&c->lock);
    if (c->closing) {
        code = err_set(err, ERR_UNAVAILABLE, "the store is being closed");
    } else if (c->waiting >= STORE_QUEUE_UNITS_MAX) {
        code = err_set(err, ERR_BUSY, "%u updates are waiting already", c->waiting);
    } else {
        if (c->last == NULL)
            c->first = call;
        else
            c->last->next = call;
        c->last = call;
        first = c->waiting++ == 0;
    }
    lock_release(&c->lock);
    if (first)
        condition_signal(&c->work);
    return code;
}

static enum err_code
queue_and_wait(struct store *store, struct store_call *call, struct err *err)
{
    enum err_code code;

    latch_init(&call->answered);
    code = enqueue(store, call, err);
    if (code == OK) {
        latch_wait(&call->answered);
        code = call->code;
    }
    latch_drop(&call->answered);
    return code;
}

static enum err_code
check_writable(struct store *store, struct err *err)
{
    if (atomic_load(&store->failed))
        return err_set(err, ERR_UNAVAILABLE,
                       "the store stopped writing after a failed sync; restart the server");
    return OK;
}

enum err_code
store_update(struct store *store, store_unit *unit, void *context,
             const struct store_update_options *options, uint64_t *revision, struct err *err)
{
    struct store_call call = {.unit = unit, .context = context, .err = err};

    CHECK(!store_committer_is_this_thread(store)); /* it would wait for itself */
    CHECK(options == NULL || !options->quiet || options->stage == NULL);
    TRY(check_writable(store, err));
    if (options != NULL) {
        call.stage = options->stage;
        call.durable = options->durable;
        call.quiet = options->quiet;
    }
    if (call.stage != NULL)
        TRY(store_stage_flush(call.stage, err));
    TRY(queue_and_wait(store, &call, err));
    if (call.stage != NULL && call.changed)
        store_stage_published(call.stage);
    else
        store_stage_drop(call.stage);
    if (revision != NULL)
        *revision = call.revision;
    return OK;
}

/* --- the thread ---------------------------------------------------------------------------- */

static void
answer(struct store_call *call)
{
    latch_open(&call->answered); /* the call is gone from here on */
}

static struct store_call *
refuse(struct store_call *calls, unsigned count, enum err_code code, const struct err *why)
{
    while (count-- > 0) {
        struct store_call *next = calls->next;

        if (calls->code == OK || code != ERR_UNKNOWN) {
            calls->code = code;
            if (calls->err != NULL)
                *calls->err = *why;
        }
        answer(calls);
        calls = next;
    }
    return calls;
}

static enum err_code
sync_point(struct store *store, struct err *err)
{
    enum err_code code = store_interval_sync(store, err);

    if (code == OK)
        return OK;
    store_fail(store, err);
    return ERR_UNKNOWN;
}

static bool
is_durable(struct store *store)
{
    return atomic_load(&store->revision) == atomic_load(&store->revision_durable);
}

/* Callers that asked for durability wait for a sync point, the others do not. */
static struct store_call *
answer_committed(struct store *store, struct store_call *calls, unsigned count)
{
    struct store_call *durable = NULL, *next;
    struct err err = ERR_INIT;
    enum err_code code = OK;

    for (; count > 0; count--, calls = next) {
        next = calls->next;
        if (calls->durable && calls->code == OK && !is_durable(store)) {
            calls->next = durable;
            durable = calls;
        } else {
            answer(calls);
        }
    }
    if (durable != NULL)
        code = sync_point(store, &err);
    for (; durable != NULL; durable = next) {
        next = durable->next;
        if (code == OK)
            answer(durable);
        else
            (void)refuse(durable, 1, code, &err);
    }
    return calls;
}

static void
take_garbage(struct store *store)
{
    uint64_t oldest, durable = atomic_load(&store->revision_durable);

    if (store_garbage_count(&store->garbage) == 0)
        return;
    oldest = store_snapshots_oldest(&store->snapshots);
    store_turn_take(&store->in_step, false);
    store_garbage_take(&store->garbage, oldest < durable ? oldest : durable, &store->pins);
    store_turn_give(&store->in_step);
}

/* One transaction a file. Returns whether something was deleted. */
static bool
delete_garbage(struct store *store)
{
    bool deleted = false;

    if (atomic_load(&store->failed))
        return false;
    take_garbage(store);
    for (int class = 0; class < STORE_CLASS_COUNT; class ++) {
        unsigned count = store->garbage.doomed.count[class];
        struct err err = ERR_INIT;
        enum err_code code = store_batch_delete(store, (enum store_class) class, &err);

        if (code == ERR_UNKNOWN)
            store_fail(store, &err);
        else if (code != OK)
            log_failure("deleting unused chunks", &err);
        else
            deleted |= count > 0;
    }
    return deleted;
}

/* Pages freed by one transaction are there for the next but one: hence one more. */
static void
make_room(struct store *store)
{
    while (delete_garbage(store))
        ;
    for (int class = 0; class < STORE_CLASS_COUNT && !atomic_load(&store->failed); class ++) {
        struct err err = ERR_INIT;

        if (store_env_advance(&store->chunks[class], store_lazy_flags(store), &err) == ERR_UNKNOWN)
            store_fail(store, &err);
    }
}

/* After a failure that left everything as it was: each unit alone, so that only the guilty fail.
 * What garbage holds is made reusable first: space freed by one transaction is there for the next
 * but one. */
static void
commit_one_by_one(struct store *store, struct store_call *calls, unsigned count, struct err *err,
                  enum err_code code)
{
    unsigned done;

    if (code == ERR_FULL)
        make_room(store);
    for (; count > 0 && code != ERR_UNKNOWN; count--) {
        err_clear(err);
        code = store_batch_attempt(store, calls, 1, &done, err);
        if (code == ERR_UNKNOWN)
            store_fail(store, err);
        calls = code == OK ? answer_committed(store, calls, 1) : refuse(calls, 1, code, err);
    }
    for (; count > 0; count--) {
        err_clear(err);
        code = check_writable(store, err);
        calls = refuse(calls, 1, code, err);
    }
}

/* Returns the first call that did not fit this batch; *count is how many are left. */
static struct store_call *
commit_some(struct store *store, struct store_call *calls, unsigned *count)
{
    struct err err = ERR_INIT;
    enum err_code code = check_writable(store, &err);
    unsigned done = *count;

    if (code != OK) {
        *count = 0;
        return refuse(calls, done, code, &err);
    }
    take_garbage(store);
    code = store_batch_attempt(store, calls, *count, &done, &err);
    if (code == OK) {
        *count -= done;
        return answer_committed(store, calls, done);
    }
    if (code == ERR_UNKNOWN) {
        store_fail(store, &err);
        *count -= done;
        return refuse(calls, done, code, &err);
    }
    if (*count == 1 && code != ERR_FULL)
        (void)refuse(calls, 1, code, &err);
    else
        commit_one_by_one(store, calls, *count, &err, code);
    *count = 0;
    return NULL;
}

/* How long the committer may sleep when no call comes. */
static uint64_t
idle_ms(struct store *store)
{
    uint64_t due_ms = store_interval_due_ms(store);
    uint64_t most_ms = store_garbage_count(&store->garbage) > 0 ? GARBAGE_RETRY_MS : WAIT_MS;

    return due_ms < most_ms ? due_ms : most_ms;
}

/* NULL when there is nothing to commit; *closing when there never will be. */
static struct store_call *
take_calls(struct store *store, unsigned *count, bool wait, bool *closing)
{
    struct store_committer *c = &store->committer;
    uint64_t timeout_ms = wait ? idle_ms(store) : 0;
    struct store_call *calls, *last = NULL;

    lock_acquire(&c->lock);
    if (c->first == NULL && !c->closing && !c->poked && c->relief_asked == c->relief_given && wait)
        (void)condition_wait_ms(&c->work, &c->lock, timeout_ms);
    c->poked = false;
    calls = c->first;
    for (*count = 0; c->first != NULL && *count < store->config.batch_units_max; (*count)++) {
        last = c->first;
        c->first = last->next;
    }
    if (c->first == NULL)
        c->last = NULL;
    if (last != NULL)
        last->next = NULL;
    c->waiting -= *count;
    *closing = c->closing;
    lock_release(&c->lock);
    return calls;
}

/* Asked for while we make room: answered by the next round. */
static void
give_relief(struct store *store)
{
    struct store_committer *c = &store->committer;
    uint64_t asked;
    bool wanted;

    lock_acquire(&c->lock);
    asked = c->relief_asked;
    wanted = asked != c->relief_given;
    lock_release(&c->lock);
    if (!wanted)
        return;
    make_room(store);
    lock_acquire(&c->lock);
    c->relief_given = asked;
    condition_broadcast(&c->relieved);
    lock_release(&c->lock);
}

bool
store_committer_is_this_thread(const struct store *store)
{
    return pthread_equal(pthread_self(), store->committer.thread) != 0;
}

void
store_committer_relieve(struct store *store)
{
    struct store_committer *c = &store->committer;
    uint64_t round;

    store_sweep_wait(store);
    lock_acquire(&c->lock);
    round = ++c->relief_asked;
    condition_signal(&c->work);
    while (c->relief_given < round)
        condition_wait(&c->relieved, &c->lock);
    lock_release(&c->lock);
}

/* The queue is empty for ever. Garbage that waited for durability may go now. */
static void
finish(struct store *store)
{
    struct err err = ERR_INIT;

    if (!atomic_load(&store->failed) && !is_durable(store) && sync_point(store, &err) != OK)
        return; /* logged */
    while (delete_garbage(store))
        ;
}

static void *
run(void *argument)
{
    struct store *store = argument;
    bool busy = true, closing = false;

    while (busy || !closing) {
        unsigned count = 0;
        struct store_call *calls = take_calls(store, &count, !busy, &closing);

        busy = calls != NULL;
        while (count > 0)
            calls = commit_some(store, calls, &count);
        give_relief(store);
        if (!busy || store_garbage_count(&store->garbage) > GARBAGE_PILE)
            busy |= delete_garbage(store);
        if (store_interval_due_ms(store) == 0)
            (void)sync_point(store, &(struct err)ERR_INIT);
    }
    finish(store);
    return NULL;
}

enum err_code
store_committer_start(struct store *store, struct err *err)
{
    int rc = pthread_create(&store->committer.thread, NULL, run, store);

    if (rc != 0)
        return err_set(err, ERR_NO_MEMORY, "cannot start the committer's thread: %s", strerror(rc));
    store->committer.running = true;
    return OK;
}

void
store_committer_poke(struct store *store)
{
    struct store_committer *c = &store->committer;

    lock_acquire(&c->lock);
    c->poked = true;
    condition_signal(&c->work);
    lock_release(&c->lock);
}

void
store_committer_stop(struct store *store)
{
    struct store_committer *c = &store->committer;

    if (!c->running)
        return;
    lock_acquire(&c->lock);
    c->closing = true;
    condition_signal(&c->work);
    lock_release(&c->lock);
    (void)pthread_join(c->thread, NULL);
    c->running = false;
}
