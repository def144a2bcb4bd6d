/* Private to service/: on which device of this process what is done to a variable runs. */
#ifndef SERVICE_PLACEMENT_VARIABLE_DEVICE_H
#define SERVICE_PLACEMENT_VARIABLE_DEVICE_H

#include "service/device/conflict.h"
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

/* Whether it is asked to run elsewhere than the variable is that is on this device ("" or NULL: on
 * none); *out says so. Not when it runs where it was asked to, or is asked for what the variable
 * asks for: soft placement brings both to the same device. `assigned`: what the variable runs on;
 * NULL: nothing. `operation` is static. */
bool variable_conflict(const char *operation, const char *name, const struct device_spec *asked,
                       const char *device, const struct device *assigned,
                       struct device_conflict *out);
/* Told, or counted. */
void variable_conflicts_add(struct device_conflicts *conflicts,
                            const struct device_conflict *conflict);

#endif
