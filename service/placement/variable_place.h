/* Private to service/: where a variable goes when it is made. Moving one is variable_patch
 * of service/variable/variable.h. */
#ifndef SERVICE_PLACEMENT_VARIABLE_PLACE_H
#define SERVICE_PLACEMENT_VARIABLE_PLACE_H

#include "service/placement/model_setter.h"
#include "service/variable/variable.h"

/* Sets the devices of a new variable, whose type and parts are known: the model's scope and
 * placement, and inside them what the request says. Its read is an op of its own, which goes where
 * the placement sends ops that are no variables. */
ERR_MUST_CHECK enum err_code variable_place_new(struct model_setter *setter, struct store_txn *txn,
                                                const struct variable_scopes *scopes,
                                                struct variable_record *record, struct err *err);

#endif
