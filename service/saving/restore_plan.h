/* Private to service/: what a restore would do, found out before any of it is done. */
#ifndef SERVICE_SAVING_RESTORE_PLAN_H
#define SERVICE_SAVING_RESTORE_PLAN_H

#include "service/placement/model_newcomers.h"
#include "service/record/record.h"
#include "service/saving/checkpoint.h"
#include "store/store.h"

enum { RESTORE_PREFIXES_MAX = 1000 };

struct restore_plan {
    const struct checkpoint_restore_spec *spec;
    struct checkpoint_pick *prefixes; /* the spec's, in byte order; owned */
    /* Of a walk over names in byte order: those of the prefixes that the present name begins with,
     * each within the next. */
    size_t *open, open_count; /* owned */
    size_t next;              /* the first that did not have its turn */

    const struct service *service;
    const struct store_view *view;
    const struct model_record *target;
    uint64_t source_id, checkpoint_id;
    struct restore_report *report;
    struct model_newcomers
        newcomers;       /* those of report->restored that are created, in their order */
    int64_t more_bytes;  /* that the model's values will take */
    struct err unplaced; /* of the first variable to be restored that is on no device, else OK */
};

/* What can be said of the spec alone: names, and none twice. Borrows it and the report. */
ERR_MUST_CHECK enum err_code restore_plan_init(struct restore_plan *plan,
                                               const struct service *service,
                                               const struct checkpoint_restore_spec *spec,
                                               struct restore_report *report, struct err *err);
void restore_plan_drop(struct restore_plan *plan);
/* Nothing is found yet: before each make. */
void restore_plan_begin(struct restore_plan *plan);
/* Fills the report from the state in the view. Borrows `target`; the checkpoint is of the model
 * `source_id`. */
ERR_MUST_CHECK enum err_code restore_plan_make(struct restore_plan *plan,
                                               const struct store_view *view,
                                               const struct model_record *target,
                                               uint64_t source_id, uint64_t checkpoint_id,
                                               struct err *err);
/* Whether the choices allow what was found, it has devices to run on, and room; what is to be
 * created is placed. *refused: why not, else OK; then a call that is not OK failed by itself. */
ERR_MUST_CHECK enum err_code restore_plan_judge(struct restore_plan *plan, struct err *refused,
                                                struct err *err);

#endif
