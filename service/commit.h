/* Private to service/: the one way from an operation into the store. */
#ifndef SERVICE_COMMIT_H
#define SERVICE_COMMIT_H

#include "service/service.h"
#include "store/store.h"

/* Runs `unit` in the next commit as `options` (NULL: zeroed) say, and waits for it. The stage is
 * taken on success, still the caller's otherwise; NULL: none. *revision and errors: as
 * store_update's; `revision` may be NULL. */
ERR_MUST_CHECK enum err_code service_commit(struct service *service, store_unit *unit,
                                            void *context, const struct write_options *options,
                                            struct store_stage *stage, uint64_t *revision,
                                            struct err *err);

#endif
