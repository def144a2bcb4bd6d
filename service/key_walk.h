/* Private to service/: walking the keys under a prefix inside a unit that changes what it meets.
 *
 * A cursor may not stay open over puts and deletes, so keys are copied out a page at a time, and
 * the next page begins behind the last key of the one before: deleted keys are not met again. */
#ifndef SERVICE_KEY_WALK_H
#define SERVICE_KEY_WALK_H

#include "service/record/record.h"
#include "store/base/buf.h"

/* Owned: key_walk_drop. */
struct key_walk {
    const struct store_view *view; /* borrowed */
    struct record_key prefix, last;
    struct buf page;
    struct reader left; /* of the page */
    bool ended;         /* the page is the last */
};

void key_walk_init(struct key_walk *walk, const struct store_view *view,
                   const struct record_key *prefix);
void key_walk_drop(struct key_walk *walk);
/* *found false at the end. *key borrows until the next call. */
ERR_MUST_CHECK enum err_code key_walk_next(struct key_walk *walk, bool *found, struct bytes *key,
                                           struct err *err);

/* Deletes every record under the prefix. `release`: gives up what the record at `key` holds, before
 * it goes; NULL: it holds nothing. */
typedef enum err_code key_walk_release(struct store_txn *txn, struct bytes key, struct err *err);
ERR_MUST_CHECK enum err_code key_walk_delete(struct store_txn *txn, const struct record_key *prefix,
                                             key_walk_release *release, struct err *err);

#endif
