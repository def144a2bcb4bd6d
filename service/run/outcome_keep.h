/* Private to service/: outcomes inside units. */
#ifndef SERVICE_RUN_OUTCOME_KEEP_H
#define SERVICE_RUN_OUTCOME_KEEP_H

#include "service/record/record.h"
#include "service/run/outcome.h"
#include "service/state.h"

/* A later request may not be told of it any more. */
bool outcome_expired(const struct service_limits *limits, uint64_t created_ms, uint64_t now_ms);
/* Inside a unit, at its end: renders the outcome and keeps it; removes a few that have expired.
 * ERR_PAYLOAD_TOO_LARGE, ERR_BUSY when there are too many. */
ERR_MUST_CHECK enum err_code outcome_keep(struct store_txn *txn,
                                          const struct service_limits *limits,
                                          const struct write_outcome *outcome, struct err *err);
/* ERR_BUSY when there is no room for one more beside `kept`. */
ERR_MUST_CHECK enum err_code outcome_check_count(const struct service_limits *limits, uint64_t kept,
                                                 struct err *err);
/* Inside a unit: removes the oldest that have expired, at most `count_max`. */
ERR_MUST_CHECK enum err_code outcome_remove_expired(struct store_txn *txn,
                                                    const struct service_limits *limits,
                                                    uint64_t count_max, uint64_t *removed,
                                                    struct err *err);

#endif
