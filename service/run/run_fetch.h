/* What a run fetches: expressions of the values as its operations have left them. */
#ifndef SERVICE_RUN_RUN_FETCH_H
#define SERVICE_RUN_RUN_FETCH_H

#include "service/run/run.h"

/* Computes all of them into the report, which owns them. ERR_PAYLOAD_TOO_LARGE before a fetch is
 * computed that would be more than all of them together may be; ERR_DEFER as operations. */
ERR_MUST_CHECK enum err_code run_fetch_all(struct run *run, struct run_report *report,
                                           struct err *err);

#endif
