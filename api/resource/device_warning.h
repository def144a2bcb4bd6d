/* Telling a client that an operation did not run where it was asked to. */
#ifndef API_RESOURCE_DEVICE_WARNING_H
#define API_RESOURCE_DEVICE_WARNING_H

#include "api/reply.h"
#include "service/device/conflict.h"

/* A Warning field (RFC 7234, 5.5) in the words that TensorFlow logs: a value for each of the first
 * conflicts, and one that counts the others. Nothing when there are none (or NULL). */
ERR_MUST_CHECK enum err_code
api_device_warning(struct api_reply *rp, const struct device_conflicts *conflicts, struct err *err);

/* The field's value, appended. */
ERR_MUST_CHECK enum err_code api_device_warning_text(const struct device_conflicts *conflicts,
                                                     struct buf *out, struct err *err);

#endif
