/* Private to service/: making a variable_info out of a record. */
#ifndef SERVICE_VARIABLE_VARIABLE_INFO_H
#define SERVICE_VARIABLE_VARIABLE_INFO_H

#include "service/variable/variable.h"

/* Before it is filled: what its devices are looked up in. */
void variable_info_begin(const struct service *service, const struct model_devices *model,
                         struct variable_info *out);
/* Copies the record and decodes what it names in `view`. On success drop with variable_info_drop.
 */
ERR_MUST_CHECK enum err_code variable_info_fill(const struct store_view *view, const char *name,
                                                size_t name_size,
                                                const struct variable_record *record,
                                                struct variable_info *out, struct err *err);
/* The draws of an initialized tree; returns how many. */
size_t variable_draws_of(const struct expr_tree *tree,
                         struct variable_draw out[VARIABLE_DRAWS_MAX]);
/* The same, as kept in a record. */
ERR_MUST_CHECK enum err_code variable_draws_encode(const struct expr_tree *tree, struct buf *out,
                                                   struct err *err);
/* The initial value of a variable that has one, whatever today's settings allow new ones. Owned:
 * expr_tree_drop. */
ERR_MUST_CHECK enum err_code variable_initial_value(const struct store_view *view,
                                                    const struct variable_record *record,
                                                    struct expr_tree *out, struct err *err);

#endif
