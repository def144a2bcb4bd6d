/* GET …/changes: what happened, as a list, as a list that is waited for, or as events. */
#include <inttypes.h>

#include "api/feed/feed_statistics.h"
#include "api/feed/feed_stream.h"
#include "api/handlers/handlers.h"
#include "api/json/chars.h"
#include "api/json/text.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/waiting.h"
#include "service/model.h"
#include "store/base/scope.h"

enum {
    LIMIT_DEFAULT = 1000,
    LIMIT_MAX = 10000,
    HEARTBEAT_SECONDS_DEFAULT = 15,
    HEARTBEAT_SECONDS_MAX = 300,
    LIST_BYTES_MAX = 256 << 20,
};

enum feed_form { FEED_NORMAL, FEED_LONGPOLL, FEED_EVENTSOURCE, FEED_FORMS };

static const char *const forms[FEED_FORMS] = {"normal", "longpoll", "eventsource"};

/* --- what is asked for --------------------------------------------------------------------- */

/* An EventSource asks for events and nothing else; programs that list what they know get JSON. */
static enum err_code
read_form(const struct api_request *rq, enum feed_form *out, struct err *err)
{
    struct bytes accept = api_chars_trim(api_request_header(rq, "Accept"));
    unsigned form = api_chars_equal(accept, API_EVENT_STREAM) ? FEED_EVENTSOURCE : FEED_NORMAL;

    TRY(api_request_query_word(rq, "feed", forms, FEED_FORMS, form, &form, err));
    *out = (enum feed_form)form;
    return OK;
}

static enum err_code
read_types(const struct api_request *rq, unsigned *kinds, struct err *err)
{
    struct bytes list = api_request_query(rq, "types"), item;
    char shown[API_SHOWN_BYTES_MAX + 1];
    enum change_kind kind;

    *kinds = list.data == NULL ? ~0U : 1U << CHANGE_MANY;
    while (api_chars_next(&list, ',', &item)) {
        if (!change_kind_of(item, &kind))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "query argument 'types' lists events such as variable.changed, not '%s'",
                           api_text_shown(item, shown));
        *kinds |= 1U << kind;
    }
    if (*kinds == 1U << CHANGE_MANY)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "query argument 'types' lists events such as variable.changed, not none");
    return OK;
}

/* What an EventSource got last beats what it was made with. */
static enum err_code
read_since(const struct api_request *rq, struct api_feed_query *out, struct err *err)
{
    struct bytes last = api_request_header(rq, "Last-Event-ID");
    char shown[API_SHOWN_BYTES_MAX + 1];

    out->has_since = api_request_query(rq, "since").data != NULL;
    TRY(api_request_query_u64(rq, "since", CHANGE_SINCE_OLDEST, &out->since, err));
    if (out->has_since && out->since == CHANGE_SINCE_OLDEST)
        out->since--; /* as far from any revision there is */
    if (last.size == 0)
        return OK;
    out->has_since = api_chars_u64(last, &out->since) && out->since != CHANGE_SINCE_OLDEST;
    if (!out->has_since)
        return err_set(err, ERR_INVALID_ARGUMENT, "Last-Event-ID is a revision, not '%s'",
                       api_text_shown(last, shown));
    return OK;
}

static enum err_code
read_query(const struct api_request *rq, enum feed_form form, struct api_feed_query *out,
           struct err *err)
{
    struct bytes prefix = api_request_query(rq, "prefix");
    uint64_t seconds = 0;

    *out = (struct api_feed_query){.since = CHANGE_SINCE_OLDEST};
    if (prefix.size > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a prefix of %zu bytes, names have %d",
                       prefix.size, NAME_BYTES_MAX);
    if (prefix.size > 0)
        memcpy(out->filter.prefix, prefix.data, prefix.size);
    memcpy(out->filter.model, api_request_model(rq), strlen(api_request_model(rq)));
    TRY(read_types(rq, &out->filter.kinds, err));
    TRY(api_request_query_bool(rq, "stats", false, &out->filter.statistics, err));
    TRY(api_request_query_count(rq, "limit", form == FEED_EVENTSOURCE ? UINT64_MAX : LIMIT_DEFAULT,
                                LIMIT_MAX, &out->limit, err));
    TRY(api_request_query_count(rq, "heartbeat", HEARTBEAT_SECONDS_DEFAULT, HEARTBEAT_SECONDS_MAX,
                                &seconds, err));
    out->heartbeat_ms = seconds * 1000;
    return read_since(rq, out, err);
}

/* --- lists --------------------------------------------------------------------------------- */

struct listing {
    const struct api_feed_query *query;
    struct api_feed_statistics statistics;
    struct buf out;
    uint64_t count;
};

static enum err_code
push(void *context, const struct change *change, bool *enough, struct err *err)
{
    struct listing *l = context;

    if (!api_feed_passes(&l->query->filter, change->kind, change->model, change->name))
        return OK;
    if (l->count++ > 0)
        TRY(buf_append_text(&l->out, ",", err));
    *enough = l->count >= l->query->limit;
    TRY(api_feed_print(change, &l->out, err));
    if (!l->query->filter.statistics || !api_feed_tells_statistics(change->kind))
        return OK;
    l->out.size--; /* its end comes behind them */
    TRY(buf_append_text(&l->out, ",\"stats\":", err));
    TRY(api_feed_put_statistics(&l->statistics, change, &l->out, err));
    return buf_append_text(&l->out, "}", err);
}

/* The client is told where to begin again. */
static enum err_code
tell_range(struct api_reply *rp, const struct change_range *range, enum err_code code)
{
    AUTO_CALL(api_json_release)
    json_t *members = json_pack("{s:I, s:I}", "oldest", (json_int_t)range->oldest, "revision",
                                (json_int_t)range->newest);
    enum err_code told = members == NULL ? OK : api_reply_on_failure(rp, members, NULL);

    return told == OK ? code : told;
}

static enum err_code
reply_list(struct api_reply *rp, struct listing *l, const struct change_range *range,
           struct err *err)
{
    TRY(buf_printf(&l->out, err, "],\"revision\":%" PRIu64 ",\"oldest\":%" PRIu64 ",\"more\":%s}",
                   range->read, range->oldest, range->read < range->newest ? "true" : "false"));
    TRY(api_reply_revision(rp, range->read, err));
    api_reply_may_pack(rp);
    return api_reply_buf(rp, 200, "application/json", &l->out, err);
}

/* *since becomes what was looked through. `waits`: no reply when there is nothing. */
static enum err_code
list(struct api_request *rq, struct api_reply *rp, const struct api_feed_query *query,
     uint64_t *since, bool waits, struct err *err)
{
    struct listing l = {.query = query,
                        .statistics = {api_request_service(rq), API_FEED_STATISTICS_BYTES_MAX}};
    struct change_range range;
    enum err_code code;

    buf_init(&l.out, LIST_BYTES_MAX);
    code = buf_append_text(&l.out, "{\"changes\":[", err);
    if (code == OK) {
        code = change_read(api_request_service(rq), *since, push, &l, &range, err);
        if (code == ERR_GONE)
            code = tell_range(rp, &range, code);
    }
    if (code == OK)
        *since = range.read;
    if (code == OK && (l.count > 0 || !waits))
        code = reply_list(rp, &l, &range, err);
    buf_drop(&l.out);
    return code;
}

struct waiting {
    struct api_feed_query query;
    uint64_t *since;
};

/* api_handler: nothing yet, or something, or the end. */
static enum err_code
look(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const struct waiting *w = api_wait_context(rq);

    return list(rq, rp, &w->query, w->since, !api_wait_is_over(rq), err);
}

static enum err_code
wait_for_list(struct api_request *rq, struct api_reply *rp, const struct api_feed_query *query,
              struct err *err)
{
    struct waiting *w = arena_alloc(api_request_arena(rq), sizeof *w, err);
    uint64_t *since = arena_alloc(api_request_arena(rq), sizeof *since, err);
    uint64_t seconds = 0;

    if (w == NULL || since == NULL)
        return ERR_NO_MEMORY;
    *since = query->since;
    *w = (struct waiting){.query = *query, .since = since};
    TRY(api_wait_preferred(rq, rp, &seconds, err));
    return api_wait_for(rq, rp, SERVICE_TOPIC_CHANGES,
                        seconds == 0 ? query->heartbeat_ms / 1000 : seconds, look, w, err);
}

static enum err_code
check_model(const struct api_request *rq, struct err *err)
{
    struct model_info info;

    if (api_request_model(rq)[0] == '\0')
        return OK;
    return model_get(api_request_service(rq), api_request_model(rq), &info, err);
}

enum err_code
api_changes(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct api_feed_query query;
    enum feed_form form;

    api_reply_vary(rp, "Accept");
    TRY(read_form(rq, &form, err));
    TRY(read_query(rq, form, &query, err));
    TRY(check_model(rq, err));
    if (form == FEED_EVENTSOURCE)
        return api_feed_stream(rq, rp, &query, err);
    if (form == FEED_LONGPOLL)
        return wait_for_list(rq, rp, &query, err);
    return list(rq, rp, &query, &query.since, false, err);
}
