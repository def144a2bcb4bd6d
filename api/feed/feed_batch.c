/* Always true: of one thing (a variable, a checkpoint, a model, what was restored) a batch holds
 * one event, with the revision, version and op of its newest change, and of the newest one of each
 * other kind before it: a client is told the newest of those it asks for. That a thing is new, or
 * has a value now where it had none, is not lost in what changed it afterwards. */
#include "api/feed/feed_batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "api/feed/feed_statistics.h"
#include "api/resource/describe.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    PLACES_MIN = 64,
    TEXT_BYTES_MAX = 16 << 20,
    ARENA_BYTES_MAX = 16 << 20,
};

bool
api_feed_passes(const struct api_feed_filter *filter, enum change_kind kind, struct bytes model,
                struct bytes name)
{
    return (filter->kinds >> kind & 1) != 0 &&
           (filter->model[0] == '\0' || bytes_equal(model, bytes_of_text(filter->model))) &&
           (name.size == 0 || bytes_start_with(name, bytes_of_text(filter->prefix)));
}

static enum change_kind
kind_after(enum change_kind before, enum change_kind now)
{
    bool was_new = before == CHANGE_VARIABLE_CREATED || before == CHANGE_CHECKPOINT_SAVED ||
                   before == CHANGE_MODEL_CREATED;

    if (was_new && (now == CHANGE_VARIABLE_CHANGED || now == CHANGE_VARIABLE_INITIALIZED ||
                    now == CHANGE_CHECKPOINT_CHANGED || now == CHANGE_MODEL_CHANGED))
        return before;
    return before == CHANGE_VARIABLE_INITIALIZED && now == CHANGE_VARIABLE_CHANGED ? before : now;
}

bool
api_feed_choose(const struct api_feed_filter *filter, const struct api_feed_event *event,
                uint64_t position, struct api_feed_choice *out)
{
    const struct change *change = &event->change;
    enum change_kind wanted[CHANGE_KIND_COUNT]; /* newest first */
    size_t count = 0;

    if (change->revision <= position)
        return false;
    out->earlier = NULL;
    if (api_feed_passes(filter, change->kind, change->model, change->name))
        wanted[count++] = change->kind;
    for (const struct api_feed_earlier *e = event->earlier; e != NULL; e = e->next) {
        if (e->revision <= position)
            break;
        if (!api_feed_passes(filter, e->kind, change->model, change->name))
            continue;
        if (count == 0)
            out->earlier = e;
        wanted[count++] = e->kind;
    }
    if (count == 0)
        return false;
    out->kind = wanted[--count];
    while (count > 0)
        out->kind = kind_after(out->kind, wanted[--count]);
    return true;
}

struct change
api_feed_earlier_change(const struct api_feed_event *event, const struct api_feed_choice *choice)
{
    const struct api_feed_earlier *e = choice->earlier;
    struct change change = event->change;

    change.kind = choice->kind;
    change.revision = e->revision;
    change.time_ms = e->time_ms;
    change.version = e->version;
    change.count = e->count;
    change.op = bytes_of_text(e->op);
    return change;
}

/* Names hold nothing that JSON minds (service/name.h), and ops are the program's. */
static enum err_code
print_rest(const struct change *change, struct buf *out, struct err *err)
{
    char time[API_TIME_BYTES_MAX];

    TRY(buf_printf(out, err, ",\"model\":\"%.*s\"", (int)change->model.size,
                   (const char *)change->model.data));
    if (change->name.size > 0)
        TRY(buf_printf(out, err, ",\"name\":\"%.*s\"", (int)change->name.size,
                       (const char *)change->name.data));
    TRY(buf_printf(out, err, ",\"revision\":%" PRIu64, change->revision));
    if (change_is_of_variable(change->kind))
        TRY(buf_printf(out, err, ",\"version\":%" PRIu64, change->version));
    else if (change->name.size > 0 || change->kind == CHANGE_MANY)
        TRY(buf_printf(out, err, ",\"count\":%" PRIu64, change->count));
    return buf_printf(out, err, ",\"op\":\"%.*s\",\"time\":\"%s\"}", (int)change->op.size,
                      (const char *)change->op.data, api_describe_time(change->time_ms, time));
}

enum err_code
api_feed_print(const struct change *change, struct buf *out, struct err *err)
{
    TRY(buf_printf(out, err, "{\"event\":\"%s\"", change_event(change->kind)));
    return print_rest(change, out, err);
}

/* --- making -------------------------------------------------------------------------------- */

enum err_code
api_feed_batch_open(const struct api_feed_filter *filter, struct api_feed_batch **out,
                    struct err *err)
{
    struct api_feed_batch *batch = mem_zeroed(1, sizeof *batch, err);

    if (batch == NULL)
        return ERR_NO_MEMORY;
    atomic_store(&batch->references, 1);
    batch->filter = filter;
    buf_init(&batch->text, TEXT_BYTES_MAX);
    arena_init(&batch->arena, ARENA_BYTES_MAX);
    *out = batch;
    return OK;
}

void
api_feed_batch_take(struct api_feed_batch *batch)
{
    atomic_fetch_add(&batch->references, 1);
}

void
api_feed_batch_drop(struct api_feed_batch *batch)
{
    if (batch == NULL || atomic_fetch_sub(&batch->references, 1) > 1)
        return;
    buf_drop(&batch->text);
    arena_drop(&batch->arena);
    mem_free(batch);
}

void
api_feed_batch_lose(struct api_feed_batch *batch, uint64_t revision)
{
    batch->lost = revision;
    batch->count = 0;
    if (batch->capacity > 0)
        memset(batch->places, 0, batch->capacity * sizeof *batch->places);
}

static struct api_feed_event **
place_of(const struct api_feed_batch *batch, const struct change *change)
{
    enum change_subject subject = change_subject_of(change->kind);
    uint64_t hash = bytes_hash(bytes_hash(BYTES_HASH_BEGIN + subject, change->model), change->name);
    size_t mask = batch->capacity - 1, at = (size_t)(hash ^ hash >> 32);

    for (;; at++) {
        struct api_feed_event *event = batch->places[at & mask];

        if (event == NULL || (change_subject_of(event->change.kind) == subject &&
                              bytes_equal(event->change.name, change->name) &&
                              bytes_equal(event->change.model, change->model)))
            return &batch->places[at & mask];
    }
}

static enum err_code
grow(struct api_feed_batch *batch, struct err *err)
{
    size_t capacity = batch->capacity == 0 ? PLACES_MIN : 2 * batch->capacity;
    struct api_feed_event **before = batch->places;
    size_t count = batch->capacity;

    batch->places = arena_array(&batch->arena, capacity, sizeof *batch->places, err);
    if (batch->places == NULL) {
        batch->places = before;
        return ERR_NO_MEMORY;
    }
    batch->capacity = capacity;
    for (size_t i = 0; i < count; i++)
        if (before[i] != NULL)
            *place_of(batch, &before[i]->change) = before[i];
    return OK;
}

static enum err_code
copy(struct api_feed_batch *batch, struct bytes *text, struct err *err)
{
    char *own = arena_text(&batch->arena, *text, err);

    if (own == NULL)
        return ERR_NO_MEMORY;
    *text = bytes_of(own, text->size);
    return OK;
}

static enum err_code
add_new(struct api_feed_batch *batch, struct api_feed_event **place, const struct change *change,
        struct err *err)
{
    struct api_feed_event *event = arena_alloc(&batch->arena, sizeof *event, err);

    if (event == NULL)
        return ERR_NO_MEMORY;
    event->change = *change;
    event->earlier = NULL;
    TRY(copy(batch, &event->change.model, err));
    TRY(copy(batch, &event->change.name, err));
    *place = event;
    batch->count++;
    return OK;
}

/* The newest change becomes an earlier one; what there was of the kind that comes now is over. */
static enum err_code
keep_earlier(struct api_feed_batch *batch, struct api_feed_event *event, enum change_kind now,
             struct err *err)
{
    struct api_feed_earlier **place = &event->earlier, *earlier;

    while (*place != NULL && (*place)->kind != now)
        place = &(*place)->next;
    earlier = *place;
    if (earlier != NULL)
        *place = earlier->next;
    else
        earlier = arena_alloc(&batch->arena, sizeof *earlier, err);
    if (earlier == NULL)
        return ERR_NO_MEMORY;
    *earlier = (struct api_feed_earlier){.next = event->earlier,
                                         .kind = event->change.kind,
                                         .revision = event->change.revision,
                                         .time_ms = event->change.time_ms,
                                         .version = event->change.version,
                                         .count = event->change.count};
    memcpy(earlier->op, event->op, event->change.op.size);
    event->earlier = earlier;
    return OK;
}

static enum err_code
renew(struct api_feed_batch *batch, struct api_feed_event *event, const struct change *change,
      struct err *err)
{
    if (event->change.kind != change->kind)
        TRY(keep_earlier(batch, event, change->kind, err));
    event->change.kind = change->kind;
    event->change.revision = change->revision;
    event->change.time_ms = change->time_ms;
    event->change.version = change->version;
    event->change.count = change->count;
    return OK;
}

enum err_code
api_feed_batch_add(void *context, const struct change *change, bool *enough, struct err *err)
{
    struct api_feed_batch *batch = context;
    struct api_feed_event **place;
    size_t op_size = change->op.size;

    (void)enough;
    if (batch->filter != NULL &&
        !api_feed_passes(batch->filter, change->kind, change->model, change->name))
        return OK;
    if (change->kind == CHANGE_MANY || batch->count == API_FEED_EVENTS_MAX)
        api_feed_batch_lose(batch, change->revision);
    if (change->revision <= batch->lost)
        return OK;
    if (2 * batch->count >= batch->capacity)
        TRY(grow(batch, err));
    place = place_of(batch, change);
    if (*place == NULL)
        TRY(add_new(batch, place, change, err));
    else
        TRY(renew(batch, *place, change, err));
    if (op_size > API_FEED_OP_BYTES_MAX)
        op_size = API_FEED_OP_BYTES_MAX;
    memcpy((*place)->op, change->op.data, op_size);
    (*place)->change.op = bytes_of((*place)->op, op_size);
    return OK;
}

enum err_code
api_feed_batch_read(struct api_feed_batch *batch, struct service *service, uint64_t since,
                    uint64_t *read, struct err *err)
{
    struct change_range range;
    enum err_code code;

    for (;;) {
        code = change_read(service, since, api_feed_batch_add, batch, &range, err);
        *read = range.read;
        if (code != ERR_GONE)
            return code;
        err_clear(err);
        /* of another history, or too old: the rest is still there */
        since = since > range.newest ? range.newest : range.oldest;
        api_feed_batch_lose(batch, since);
    }
}

static int
by_revision(const void *a, const void *b)
{
    const struct api_feed_event *const *left = a, *const *right = b;
    const struct change *first = &(*left)->change, *second = &(*right)->change;

    if (first->revision != second->revision)
        return first->revision < second->revision ? -1 : 1;
    if (change_subject_of(first->kind) != change_subject_of(second->kind))
        return change_subject_of(first->kind) < change_subject_of(second->kind) ? -1 : 1;
    return bytes_compare(first->name, second->name);
}

enum err_code
api_feed_batch_close(struct api_feed_batch *batch, struct err *err)
{
    size_t count = 0;

    batch->events = arena_array(&batch->arena, batch->count, sizeof *batch->events, err);
    if (batch->events == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < batch->capacity; i++)
        if (batch->places[i] != NULL)
            batch->events[count++] = batch->places[i];
    qsort(batch->events, batch->count, sizeof *batch->events, by_revision);
    for (size_t i = 0; i < batch->count; i++) {
        struct api_feed_event *event = batch->events[i];

        event->begin = batch->text.size;
        TRY(print_rest(&event->change, &batch->text, err));
        event->size = batch->text.size - event->begin;
    }
    batch->filter = NULL;
    return OK;
}

/* The newest first, should not all of them fit. */
enum err_code
api_feed_batch_measure(struct api_feed_batch *batch, struct service *service, struct err *err)
{
    struct api_feed_statistics statistics = {service, API_FEED_STATISTICS_BYTES_MAX};

    for (size_t i = batch->count; i-- > 0;) {
        struct api_feed_event *event = batch->events[i];

        if (!api_feed_tells_statistics(event->change.kind))
            continue;
        event->statistics_begin = batch->text.size;
        TRY(api_feed_put_statistics(&statistics, &event->change, &batch->text, err));
        event->statistics_size = batch->text.size - event->statistics_begin;
    }
    return OK;
}
