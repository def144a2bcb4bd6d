/* Private to verify_domain*.c: a check of the domain's records under way. */
#ifndef SERVICE_VERIFY_VERIFY_DOMAIN_PARTS_H
#define SERVICE_VERIFY_VERIFY_DOMAIN_PARTS_H

#include "service/record/record.h"
#include "store/verify.h"

/* How many of each kind were met by way of the models. */
struct domain_totals {
    uint64_t variables, checkpoints, orders, tensors, usages, counters, places, scopes, setters,
        optimizers, applies, averages, members, accumulations, sums, workers, steps, accumulators,
        savers, saved, lasts, listed, histories, snapshots;
};

struct domain_check {
    const struct store_view *view;      /* borrowed */
    struct store_verify_report *report; /* borrowed */
    struct domain_totals seen;
};

/* One more finding, in words while there is room for them. */
void verify_domain_finding(struct domain_check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls visit for each record with the prefix. A damaged one (ERR_DATA_LOSS) is a finding. */
typedef enum err_code verify_domain_visit(struct domain_check *c, void *context, struct bytes key,
                                          struct bytes record, struct err *err);
ERR_MUST_CHECK enum err_code verify_domain_scan(struct domain_check *c,
                                                const struct record_key *prefix,
                                                verify_domain_visit *visit, void *context,
                                                struct err *err);
/* verify_domain_visit: counts records. `context`: uint64_t. */
verify_domain_visit verify_domain_count;

/* verify_domain_keys.c. *well: keys can be taken apart; nothing else may be checked when not. */
ERR_MUST_CHECK enum err_code verify_domain_keys(struct domain_check *c, bool *well,
                                                struct err *err);
ERR_MUST_CHECK enum err_code verify_domain_changes(struct domain_check *c, struct err *err);
ERR_MUST_CHECK enum err_code verify_domain_history(struct domain_check *c, uint64_t model_id,
                                                   const struct variable_record *variable,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code verify_domain_savers(struct domain_check *c, uint64_t model_id,
                                                  struct err *err);
/* What trains a model (verify_domain_training.c). */
ERR_MUST_CHECK enum err_code verify_domain_training(struct domain_check *c, uint64_t model_id,
                                                    struct err *err);

#endif
