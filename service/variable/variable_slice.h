/* Private to service/: writing part of a value. */
#ifndef SERVICE_VARIABLE_VARIABLE_SLICE_H
#define SERVICE_VARIABLE_VARIABLE_SLICE_H

#include "service/variable/variable_write.h"

ERR_MUST_CHECK enum err_code variable_assign_slice(
    struct service *service, const char *model, const char *name, const struct tensor_type *type,
    uint64_t size, const struct tensor_source *source, struct bytes slice,
    const struct write_options *options, struct variable_change *out, struct err *err);

#endif
