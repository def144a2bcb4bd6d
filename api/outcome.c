/* Always true: a key that was taken is given back when its request is done, however that ends; the
 * fingerprint is of all that was sent, so nothing is committed or told again before the body has
 * ended. */
#include "api/outcome.h"

#include <stdio.h>

#include "api/body.h"
#include "api/http/fingerprint.h"
#include "api/reply_record.h"
#include "api/state.h"
#include "service/run/outcome.h"
#include "store/base/scope.h"

enum { SHOWN_BYTES_MAX = 240 }; /* of a request, for messages */

static const char key_header[] = "Idempotency-Key";

/* Lies in the request's memory. */
struct api_outcome {
    struct outcome_use use;
    struct write_outcome write;
    struct api_fingerprint reading;                 /* of the request as far as it was read */
    bool sealed, renders;                           /* renders: for the commit, not after it */
    uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES]; /* once sealed */
    struct api_reply before;                        /* the reply before it was rendered */
};

/* --- fingerprint --------------------------------------------------------------------------- */

void
api_outcome_feed(struct api_request *rq, struct bytes piece)
{
    if (rq->outcome != NULL)
        api_fingerprint_feed(&rq->outcome->reading, piece);
}

/* struct write_outcome's */
static enum err_code
seal(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    struct api_request *rq = context;
    struct api_outcome *outcome = rq->outcome;

    if (!outcome->sealed) {
        TRY(api_body_finish(rq, err));
        api_fingerprint_end(&outcome->reading, outcome->fingerprint);
        outcome->sealed = true;
    }
    memcpy(fingerprint, outcome->fingerprint, sizeof outcome->fingerprint);
    return OK;
}

/* --- telling again ------------------------------------------------------------------------- */

/* "PUT /v1/models/m/variables/w:value", in ASCII. */
static const char *
shown(const struct api_request *rq, char out[static SHOWN_BYTES_MAX])
{
    int used = snprintf(out, SHOWN_BYTES_MAX, "%s ", api_method_name(rq->method));

    for (size_t i = 0; i < rq->target_size && rq->target[i] != '?'; i++) {
        char c = rq->target[i];

        if (used == SHOWN_BYTES_MAX - 1)
            break;
        out[used++] = c > 0x20 && c < 0x7F ? c : '?';
    }
    out[used] = '\0';
    return out;
}

static enum err_code
another_request(const struct api_request *rq, struct bytes first, struct err *err)
{
    struct bytes key = rq->outcome->use.key;
    char now[SHOWN_BYTES_MAX];

    if (bytes_equal(first, bytes_of_text(shown(rq, now))))
        return err_set(err, ERR_UNPROCESSABLE,
                       "the Idempotency-Key '%.*s' was used for another %s: its body, query or "
                       "headers were not these",
                       (int)key.size, (const char *)key.data, now);
    return err_set(err, ERR_UNPROCESSABLE,
                   "the Idempotency-Key '%.*s' was used for %.*s, this is %s", (int)key.size,
                   (const char *)key.data, (int)first.size, (const char *)first.data, now);
}

/* `kept` is what render_kept wrote. */
static enum err_code
replay(struct api_request *rq, struct bytes kept,
       const uint8_t first[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    uint8_t own[OUTCOME_FINGERPRINT_BYTES];
    struct reader in = reader_of(kept);
    struct bytes request = reader_bytes(&in), reply = reader_bytes(&in);

    TRY(seal(rq, own, err));
    if (memcmp(own, first, sizeof own) != 0)
        return another_request(rq, request, err);
    if (!reader_ended_well(&in))
        return err_set(err, ERR_DATA_LOSS, "the reply kept under this Idempotency-Key is damaged");
    TRY(api_reply_decode(reply, &rq->reply, err));
    return api_reply_header(&rq->reply, "Idempotency-Replayed", err, "true");
}

/* The reply to an earlier request with the key, if there was one. */
static enum err_code
look_back(struct api_request *rq, bool *replayed, struct err *err)
{
    uint8_t first[OUTCOME_FINGERPRINT_BYTES];
    AUTO(buf) kept;

    buf_init(&kept, API_REPLY_RECORD_BYTES_MAX);
    TRY(outcome_find(rq->server->service, rq->outcome->use.key, replayed, first, &kept, err));
    return *replayed ? replay(rq, buf_bytes(&kept), first, err) : OK;
}

enum err_code
api_outcome_open(struct api_request *rq, bool *replayed, struct err *err)
{
    size_t keys = api_head_count(&rq->head, key_header);
    struct bytes key = api_request_header(rq, key_header);
    struct api_outcome *outcome;

    *replayed = false;
    if (keys == 0 || rq->method == METHOD_GET || rq->method == METHOD_HEAD)
        return OK;
    if (keys > 1)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a request has one Idempotency-Key, this one has %zu", keys);
    outcome = api_request_scratch(rq, sizeof *outcome, err);
    if (outcome == NULL)
        return ERR_NO_MEMORY;
    memset(outcome, 0, sizeof *outcome);
    TRY(outcome_begin(rq->server->service, key, &outcome->use, err));
    rq->outcome = outcome;
    api_fingerprint_begin(&outcome->reading, rq);
    return look_back(rq, replayed, err);
}

void
api_outcome_close(struct api_request *rq)
{
    if (rq->outcome != NULL)
        outcome_end(rq->server->service, &rq->outcome->use);
}

/* --- telling the first time ---------------------------------------------------------------- */

/* struct write_outcome's */
static enum err_code
render_kept(void *context, uint64_t revision, struct buf *out, struct err *err)
{
    struct api_request *rq = context;
    char request[SHOWN_BYTES_MAX];
    AUTO(buf) reply;

    buf_init(&reply, API_REPLY_RECORD_BYTES_MAX);
    rq->outcome->renders = true;
    api_reply_rewind(&rq->reply, &rq->outcome->before);
    TRY(rq->render(rq, &rq->reply, rq->render_result, revision, err));
    TRY(api_reply_encode(&rq->reply, &reply, err));
    TRY(buf_append_bytes(out, bytes_of_text(shown(rq, request)), err));
    return buf_append_bytes(out, buf_bytes(&reply), err);
}

enum err_code
api_outcome_begin(struct api_request *rq, api_render *render, const void *result,
                  struct write_options *out, struct err *err)
{
    struct api_outcome *outcome = rq->outcome;

    TRY(api_request_write_options(rq, out, err));
    rq->render = render;
    rq->render_result = result;
    if (outcome == NULL)
        return OK;
    outcome->before = rq->reply;
    outcome->write = (struct write_outcome){
        .key = outcome->use.key, .context = rq, .seal = seal, .render = render_kept};
    out->outcome = &outcome->write;
    return OK;
}

enum err_code
api_outcome_reply(struct api_request *rq, struct api_reply *rp, uint64_t revision, struct err *err)
{
    if (rq->outcome != NULL && rq->outcome->write.kept)
        return OK;
    return rq->render(rq, rp, rq->render_result, revision, err);
}

enum err_code
api_outcome_check_size(const struct api_request *rq, uint64_t size_min, struct err *err)
{
    uint64_t size_max = rq->server->settings->idempotency_reply_max_bytes;

    if (rq->outcome == NULL || !rq->outcome->renders || size_min <= size_max)
        return OK;
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "the reply would have over %llu bytes, at most %llu are kept for an "
                   "Idempotency-Key (idempotency_reply_max_bytes): ask for less at once, or "
                   "without a key",
                   (unsigned long long)size_min, (unsigned long long)size_max);
}

enum err_code
api_render_deleted(struct api_request *rq, struct api_reply *rp, const void *result,
                   uint64_t revision, struct err *err)
{
    (void)rq;
    return api_reply_deleted(rp, result, revision, err);
}

enum err_code
api_outcome_delete(struct api_request *rq, struct api_reply *rp, api_delete *remove,
                   struct err *err)
{
    const char *name = api_request_name(rq);
    struct write_options options;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, api_render_deleted, name, &options, err));
    TRY(remove(api_request_service(rq), api_request_model(rq), name, &options, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

void
api_outcome_explain(const struct api_request *rq, struct err *err)
{
    size_t used = strlen(err->text);

    snprintf(err->text + used, sizeof err->text - used, "%s",
             rq->outcome != NULL
                 ? "; whether this request has had its effect is not known: repeat it with the "
                   "same Idempotency-Key when the server has been started again"
                 : "; whether this request has had its effect is not known: look before repeating "
                   "it, or send an Idempotency-Key with the next one, which makes that safe");
}
