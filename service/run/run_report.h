/* Private to service/run/: the report of a run, from its first operation to its commit. */
#ifndef SERVICE_RUN_RUN_REPORT_H
#define SERVICE_RUN_RUN_REPORT_H

#include "service/run/run.h"

/* Empty, with room for what is asked for; of a run that is made again, too. */
ERR_MUST_CHECK enum err_code run_report_begin(const struct run_spec *spec, struct run_report *out,
                                              struct err *err);
/* Copies the draft's conflicts of devices, if it has any. */
ERR_MUST_CHECK enum err_code run_report_conflicts(const struct draft *draft,
                                                  struct run_report *report, struct err *err);
/* What only the commit tells: versions, the revision, the checkpoint's record. */
void run_report_end(struct run_report *report, uint64_t revision);
/* The draft's memory goes; nothing of the report may point into it. */
void run_report_forget_draft(struct run_report *report);

#endif
