/* Private to service/: what a restore found, being written down and judged. */
#ifndef SERVICE_SAVING_RESTORE_REPORT_H
#define SERVICE_SAVING_RESTORE_REPORT_H

#include "service/saving/checkpoint.h"

/* Empties it first. */
void restore_report_begin(struct restore_report *report);
ERR_MUST_CHECK enum err_code restore_list_add(struct restore_list *list,
                                              const struct restore_name *name, struct err *err);
/* The entries of some lists, by variable and then by tensor. *out owned: mem_free. */
ERR_MUST_CHECK enum err_code restore_lists_sorted(const struct restore_list *const *lists,
                                                  size_t list_count,
                                                  const struct restore_name ***out, size_t *count,
                                                  struct err *err);
/* Whether the choices allow what was found. */
ERR_MUST_CHECK enum err_code restore_report_judge(const struct restore_report *report,
                                                  const struct checkpoint_restore_spec *spec,
                                                  struct err *err);

#endif
