/* The life of a request's memory, and what handlers may ask it. Always true: a request is freed, or
 * kept for its connection's next one, when the HTTP thread has left it and no worker holds it;
 * whatever was made for it goes with it. */
#include "api/request.h"

#include "api/body.h"
#include "api/guard/caller.h"
#include "api/http/etag.h"
#include "api/json/chars.h"
#include "api/observe/memory.h"
#include "api/resource/op_name.h"
#include "api/state.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/clock.h"

static void
clear(struct api_request *rq)
{
    size_t begin = offsetof(struct api_request, stage);

    api_reply_reset(&rq->reply);
    api_caller_leave(rq);
    api_memory_give(rq);
    api_json_drop(rq->json);
    buf_drop(&rq->gathered);
    api_body_drop(rq);
    arena_drop(&rq->arena);
    memset((char *)rq + begin, 0, offsetof(struct api_request, head_fields) - begin);
}

void
api_request_free(struct api_request *rq)
{
    if (rq == NULL)
        return;
    clear(rq);
    lock_drop(&rq->lock);
    rq->magic = 0;
    mem_free(rq);
}

static struct api_request *
take_spare(struct api_connection *connection)
{
    struct api_request *rq = connection->spare;

    connection->spare = NULL;
    if (rq != NULL)
        return rq;
    rq = mem_zeroed(1, sizeof *rq, NULL);
    if (rq == NULL)
        return NULL;
    rq->magic = API_REQUEST_MAGIC;
    rq->server = connection->server;
    lock_init(&rq->lock);
    return rq;
}

struct api_request *
api_request_open(struct api_connection *connection, const char *target)
{
    struct api_request *rq = take_spare(connection);

    if (rq == NULL)
        return NULL;
    rq->connection = connection;
    rq->references = 1;
    rq->suspended = rq->finished = rq->body_wanted = rq->gone = false;
    rq->times.started_us = clock_monotonic_us();
    rq->reply.request = rq;
    arena_init(&rq->arena, API_REQUEST_ARENA_BYTES_MAX);
    rq->target_place = target;
    rq->target_size = target == NULL ? 0 : strlen(target);
    rq->target = api_request_scratch(rq, rq->target_size + 1, NULL);
    if (rq->target != NULL) {
        if (target != NULL)
            memcpy(rq->target, target, rq->target_size);
        rq->target[rq->target_size] = '\0';
    }
    return rq;
}

bool
api_request_is_left(struct api_request *rq)
{
    bool left;

    lock_acquire(&rq->lock);
    left = rq->gone || api_connection_is_left(rq->connection);
    lock_release(&rq->lock);
    return left;
}

void
api_request_leave(struct api_request *rq)
{
    struct api_connection *connection = rq->connection;
    unsigned left;

    lock_acquire(&rq->lock);
    CHECK(!rq->suspended);
    rq->gone = true;
    left = --rq->references;
    if (left > 0)
        api_body_end(rq);
    lock_release(&rq->lock);
    if (left > 0)
        return; /* the worker frees it */
    if (connection->spare != NULL) {
        api_request_free(rq);
        return;
    }
    clear(rq);
    connection->spare = rq;
}

void *
api_request_scratch(struct api_request *rq, size_t size, struct err *err)
{
    size_t step = (size + 15) & ~(size_t)15;
    void *piece;

    if (size > sizeof rq->scratch || step > sizeof rq->scratch - rq->scratch_used)
        return arena_alloc(&rq->arena, size, err);
    piece = rq->scratch + rq->scratch_used;
    rq->scratch_used += step;
    return piece;
}

/* --- what handlers ask --------------------------------------------------------------------- */

struct service *
api_request_service(const struct api_request *rq)
{
    return rq->server->service;
}

const struct settings *
api_request_settings(const struct api_request *rq)
{
    return rq->server->settings;
}

struct arena *
api_request_arena(struct api_request *rq)
{
    return &rq->arena;
}

const char *
api_request_model(const struct api_request *rq)
{
    return rq->match.path.model;
}

const char *
api_request_name(const struct api_request *rq)
{
    return rq->match.path.name;
}

const char *
api_request_verb(const struct api_request *rq)
{
    const char *colon = strrchr(rq->match.route->path, ':');

    return colon == NULL ? "" : colon + 1;
}

const char *
api_request_key(const struct api_request *rq)
{
    return rq->match.path.key;
}

bool
api_request_on_worker(const struct api_request *rq)
{
    return rq->on_worker;
}

bool
api_request_is_head(const struct api_request *rq)
{
    return rq->method == METHOD_HEAD;
}

struct bytes
api_request_header(const struct api_request *rq, const char *name)
{
    return api_head_value(&rq->head, name);
}

/* --- conditions of a write ----------------------------------------------------------------- */

static enum err_code
read_if_match(struct api_request *rq, struct bytes list, struct write_options *out, struct err *err)
{
    struct api_etag tag;
    struct bytes rest = list;
    uint64_t *revisions;
    size_t count = 0;
    bool malformed;

    out->if_match = true;
    while (api_etag_next(&rest, &tag, &malformed))
        count++;
    if (malformed)
        return err_set(err, ERR_INVALID_ARGUMENT, "If-Match is not a list of quoted entity tags");
    revisions = arena_array(&rq->arena, count, sizeof *revisions, err);
    if (revisions == NULL)
        return ERR_NO_MEMORY;
    while (api_etag_next(&list, &tag, &malformed))
        if (!tag.weak && api_etag_revision(tag.tag, &revisions[out->revision_count]))
            out->revision_count++;
    out->revisions = revisions;
    return OK;
}

static enum err_code
read_preference(struct api_request *rq, struct write_options *out, struct err *err)
{
    struct bytes list = api_request_header(rq, "Prefer"), item;

    while (api_chars_next(&list, ',', &item)) {
        struct bytes first = api_chars_trim(item), rest = item;

        if (api_chars_next(&rest, ';', &first))
            first = api_chars_trim(first);
        if (!api_chars_equal(first, "durability=commit"))
            continue;
        out->durable = true;
        return api_reply_header(&rq->reply, "Preference-Applied", err, "durability=commit");
    }
    return OK;
}

enum err_code
api_request_write_options(struct api_request *rq, struct write_options *out, struct err *err)
{
    struct bytes match = api_request_header(rq, "If-Match");
    struct bytes none = api_request_header(rq, "If-None-Match");

    *out = (struct write_options){.op = api_op_name(rq->match.route),
                                  .commit_us = &rq->times.commit_us};
    if (none.data != NULL && !api_etag_is_any(none))
        return err_set(err, ERR_INVALID_ARGUMENT, "a write takes If-None-Match: * and no tags");
    out->if_none_match = none.data != NULL;
    if (match.data != NULL && api_etag_is_any(match))
        out->if_match_any = true;
    else if (match.data != NULL)
        TRY(read_if_match(rq, match, out, err));
    return read_preference(rq, out, err);
}
