/* Private to service/: the one way from an operation into the store. */
#ifndef SERVICE_COMMIT_H
#define SERVICE_COMMIT_H

#include "service/service.h"
#include "store/store.h"

/* Runs `unit` in the next commit as `options` (NULL: zeroed) say, and waits for it. The stage is
 * taken on success, still the caller's otherwise; NULL: none. *revision and errors: as
 * store_update's; `revision` may be NULL.
 *
 * With an outcome in the options the unit's results must be complete when it returns, for the
 * outcome is rendered from them at once, on the committer's thread; and a unit that succeeds
 * publishes all of its stage, for the commit always changes something. Besides the unit's errors
 * there are then ERR_PAYLOAD_TOO_LARGE (the reply), ERR_BUSY (outcomes kept), and those of
 * rendering. */
ERR_MUST_CHECK enum err_code service_commit(struct service *service, store_unit *unit,
                                            void *context, const struct write_options *options,
                                            struct store_stage *stage, uint64_t *revision,
                                            struct err *err);

#endif
