/* Private to service/: what a model says of where its variables go. */
#ifndef SERVICE_PLACEMENT_MODEL_DEVICES_H
#define SERVICE_PLACEMENT_MODEL_DEVICES_H

#include "service/model.h"
#include "store/store.h"

/* ERR_ALREADY_EXISTS when the spec says something else than what there is. */
ERR_MUST_CHECK enum err_code model_devices_confirm(const char *model, const struct model_spec *spec,
                                                   const struct model_devices *devices,
                                                   struct err *err);
/* Sets what the spec has, in the record alone. Another placement than there was begins with
 * nothing drawn. ERR_INVALID_ARGUMENT when it chooses among too many tasks. */
ERR_MUST_CHECK enum err_code model_devices_set(struct store_txn *txn, const struct model_spec *spec,
                                               struct model_record *record, struct err *err);
/* Zeroed without a placement. */
ERR_MUST_CHECK enum err_code model_devices_drawn(const struct service *service,
                                                 const struct store_view *view,
                                                 const struct model_record *record,
                                                 struct model_drawn *out, struct err *err);

#endif
