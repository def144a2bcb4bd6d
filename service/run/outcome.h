/* What became of a request, kept under the idempotency key its client gave it, in the commit of its
 * effect: whoever asks again with the key is told the same, and nothing is done twice. Also after a
 * crash, and until the outcome expires.
 *
 * The life of a key: outcome_begin says that a request is using it, and refuses a second one;
 * outcome_find tells what an earlier one left; otherwise the write is made with a write_outcome in
 * its options, and service_commit keeps that; outcome_end. A request that fails leaves nothing. */
#ifndef SERVICE_RUN_OUTCOME_H
#define SERVICE_RUN_OUTCOME_H

#include "service/service.h"
#include "store/base/buf.h"

enum {
    OUTCOME_KEY_BYTES_MAX = 255,
    OUTCOME_FINGERPRINT_BYTES = 32, /* SHA-256 of all that the request means */
};

/* Filled by the edge, borrowed until the write returns. A request makes one commit that changes
 * something; the outcome goes with that. */
struct write_outcome {
    struct bytes key; /* of a use that has begun */
    void *context;    /* for both calls */
    /* On the caller's thread, before each attempt to commit: all of the request is there, and this
     * is its fingerprint. */
    enum err_code (*seal)(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES],
                          struct err *err);
    /* On the committer's thread, each time the unit has succeeded: appends what the client is told.
     * A unit may be run again: it says it anew then. `revision` is the commit's. */
    enum err_code (*render)(void *context, uint64_t revision, struct buf *reply, struct err *err);
    uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES]; /* out: what seal gave */
    bool kept; /* out: render was called, and what it said last is committed */
};

/* A key in use. Zeroed; not moved between begin and end. */
struct outcome_use {
    struct bytes key; /* borrowed */
    struct outcome_use *next;
    bool begun;
};

/* ERR_INVALID_ARGUMENT: not 1 to 255 visible ASCII characters. ERR_ABORTED: a request with this key
 * is under way. Any thread. */
ERR_MUST_CHECK enum err_code outcome_begin(struct service *service, struct bytes key,
                                           struct outcome_use *use, struct err *err);
/* Fine when it has not begun. */
void outcome_end(struct service *service, struct outcome_use *use);
/* What was kept under the key and has not expired: the fingerprint, and the reply appended. When
 * there is nothing and no room for another, ERR_BUSY. Blocks when it makes room. */
ERR_MUST_CHECK enum err_code outcome_find(struct service *service, struct bytes key, bool *found,
                                          uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES],
                                          struct buf *reply, struct err *err);

/* Keeps the outcome of something that was done outside the store, in a commit of nothing else.
 * Without an outcome nothing is committed, and *revision is the store's. */
ERR_MUST_CHECK enum err_code outcome_note(struct service *service,
                                          const struct write_options *options, uint64_t *revision,
                                          struct err *err);

#endif
