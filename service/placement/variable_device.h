/* Private to service/: on which device of this process what is done to a variable runs. */
#ifndef SERVICE_PLACEMENT_VARIABLE_DEVICE_H
#define SERVICE_PLACEMENT_VARIABLE_DEVICE_H

#include "service/device/device.h"
#include "service/record/record.h"
#include "service/service.h"

/* The device that a variable of the model with this device text is on; "": it names none. *out
 * lives as long as the service. ERR_INVALID_ARGUMENT in TensorFlow's words: the text is no
 * device's, or there is no such device now. */
ERR_MUST_CHECK enum err_code variable_device(const struct service *service,
                                             const struct model_record *model, const char *name,
                                             const char *device, enum dtype dtype,
                                             const struct device **out, struct err *err);
/* Before a value is written into a variable, whose record is in `view`: its parts are looked for,
 * too. */
ERR_MUST_CHECK enum err_code
variable_check_device(const struct service *service, const struct store_view *view,
                      const struct model_record *model, const char *name,
                      const struct variable_record *variable, struct err *err);

#endif
