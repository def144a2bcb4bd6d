/* Private to service/: does what the domain's records say of each other hold? */
#ifndef SERVICE_VERIFY_VERIFY_DOMAIN_H
#define SERVICE_VERIFY_VERIFY_DOMAIN_H

#include "store/verify.h"

/* Counters of models and checkpoints recomputed, every record in something that exists, every
 * checkpoint once in the order. Adds its findings to *report. */
ERR_MUST_CHECK enum err_code verify_domain(const struct store_view *view,
                                           struct store_verify_report *report, struct err *err);

#endif
