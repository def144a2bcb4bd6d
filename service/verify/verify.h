/* The full check of the store, with the domain's records as the owners of values. */
#ifndef SERVICE_VERIFY_VERIFY_H
#define SERVICE_VERIFY_VERIFY_H

#include "service/service.h"
#include "store/verify.h"

/* Walks all values in one snapshot, then all records of the domain in another: counters, orders,
 * things that belong to nothing. `payloads` recomputes every chunk's checksum too. The call
 * succeeds when the walks could be made; *out says what they found. */
ERR_MUST_CHECK enum err_code service_verify(struct service *service, bool payloads,
                                            struct store_verify_report *out, struct err *err);
/* The same of a store that nobody serves. */
ERR_MUST_CHECK enum err_code service_verify_store(struct store *store, bool payloads,
                                                  struct store_verify_report *out, struct err *err);

#endif
