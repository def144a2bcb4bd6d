/* Changing values: from a stream, from an expression, many at once. */
#ifndef SERVICE_VARIABLE_VARIABLE_WRITE_H
#define SERVICE_VARIABLE_VARIABLE_WRITE_H

#include "service/device/spec.h"
#include "service/expr/expr.h"
#include "service/name.h"
#include "service/service.h"

/* Bytes that arrive: row-major little-endian, `size` in all. read fills exactly size bytes or
 * fails. */
struct tensor_source {
    void *context;
    ERR_MUST_CHECK enum err_code (*read)(void *context, void *out, size_t size, struct err *err);
};

/* What a write reports about each variable it changed. */
struct device_conflicts; /* service/device/conflict.h */

struct variable_change {
    char name[NAME_BYTES_MAX + 1];
    struct tensor_type type;
    uint64_t version, revision;
    bool created;
};

struct variable_assign_options {
    bool create;        /* make the variable when it is missing (no initial value, trainable) */
    bool trainable;     /* of a variable that is made */
    bool keep_shape;    /* validate_shape: the variable's shape must be the value's */
    struct bytes slice; /* data NULL: the whole; else the value has the slice's shape */
    /* Around variables that are made, outer to inner. Others stay where they are. */
    const struct device_scope *scopes;
    size_t scope_count;
    /* Filled: what is elsewhere than the scopes say. NULL: nobody is told. */
    struct device_conflicts *conflicts;
};

/* Assign from a stream of `type` and `size` bytes. Checks what it can before it reads a byte;
 * bounded memory. ERR_INVALID_ARGUMENT (dtype, shape), ERR_FULL, ERR_PRECONDITION_FAILED, the
 * source's errors. */
ERR_MUST_CHECK enum err_code variable_assign(struct service *service, const char *model,
                                             const char *name, const struct tensor_type *type,
                                             uint64_t size, const struct tensor_source *source,
                                             const struct variable_assign_options *how,
                                             const struct write_options *options,
                                             struct variable_change *out, struct err *err);

/* Several from one stream, in the order given, in one commit. `names` and `types` by index. */
struct variable_import {
    const char *name; /* checked here */
    struct tensor_type type;
    uint64_t size;
};
ERR_MUST_CHECK enum err_code variable_assign_many(struct service *service, const char *model,
                                                  const struct variable_import *imports,
                                                  size_t count, const struct tensor_source *source,
                                                  const struct variable_assign_options *how,
                                                  const struct write_options *options,
                                                  uint64_t *revision, struct err *err);

#endif
