/* count_up_to: a counter that stops. Read, compared and incremented inside one unit, so that many
 * clients counting together each get a number of their own and none past the limit. */
#include <inttypes.h>

#include "service/commit.h"
#include "service/compute.h"
#include "service/state.h"
#include "service/variable_write.h"
#include "store/base/scope.h"

struct count_unit {
    const char *model, *name;
    int64_t limit;
    const struct write_options *options;
    int64_t *before;
    struct variable_change *out;
};

/* What no value would change: TensorFlow refuses it when the op is built. */
static enum err_code
check_type(const char *name, const struct tensor_type *type, struct err *err)
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    if (type->dtype != DTYPE_INT32 && type->dtype != DTYPE_INT64)
        (void)err_set(err, ERR_INVALID_ARGUMENT,
                      "count_up_to of '%s': int32 or int64 expected, the variable is %s", name,
                      dtype_name(type->dtype));
    else if (type->shape.rank != 0)
        (void)err_set(err, ERR_INVALID_ARGUMENT, "count_up_to of '%s': input is not a scalar: %s",
                      name, shape_text(&type->shape, shape));
    else
        return OK;
    err_about(err, "variable", name);
    return ERR_INVALID_ARGUMENT;
}

static enum err_code
read_counter(const struct store_view *view, const struct variable_record *variable, int64_t *out,
             struct err *err)
{
    AUTO(value_reader) reader = {0};
    int32_t narrow = 0;

    TRY(value_open(view, &variable->value, &reader, err));
    if (variable->type.dtype == DTYPE_INT64)
        return value_copy(&reader, 0, sizeof *out, out, err);
    TRY(value_copy(&reader, 0, sizeof narrow, &narrow, err));
    *out = narrow;
    return OK;
}

/* The limit is compared as int64, so one past int32 can be asked of an int32, which then stops at
 * its own end instead of going round. An int64 is below its limit and so below its end. */
static enum err_code
check_limit(const struct count_unit *u, enum dtype dtype, int64_t value, struct err *err)
{
    if (value >= u->limit)
        (void)err_set(err, ERR_OUT_OF_RANGE,
                      "count_up_to of '%s': Reached limit of %" PRId64 " (its value is %" PRId64
                      ")",
                      u->name, u->limit, value);
    else if (dtype == DTYPE_INT32 && value == INT32_MAX)
        (void)err_set(err, ERR_OUT_OF_RANGE,
                      "count_up_to of '%s': its value %" PRId64
                      " is the largest int32, the limit of %" PRId64 " is past it",
                      u->name, value, u->limit);
    else
        return OK;
    err_about(err, "variable", u->name);
    return ERR_OUT_OF_RANGE;
}

static enum err_code
write_counter(struct store_txn *txn, const struct variable_record *variable, int64_t value,
              struct value_ref *out, struct err *err)
{
    int32_t narrow = (int32_t)value;
    struct bytes bytes = variable->type.dtype == DTYPE_INT64 ? bytes_of(&value, sizeof value)
                                                             : bytes_of(&narrow, sizeof narrow);

    return value_write(txn, bytes, service_class_of(variable), out, err);
}

static enum err_code
count_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct count_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct usage_change change = {0};
    struct model_record model;
    struct variable_record variable;
    struct value_ref ref;
    int64_t value = 0;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(service_find_variable(view, model.id, u->name, &variable, err));
    TRY(service_check_conditions(u->options, "variable", u->name, true, variable.revision, err));
    TRY(check_type(u->name, &variable.type, err));
    if (variable.value.kind == VALUE_NONE)
        return compute_uninitialized(u->name, err);
    TRY(read_counter(view, &variable, &value, err));
    TRY(check_limit(u, variable.type.dtype, value, err));
    TRY(write_counter(txn, &variable, value + 1, &ref, err));
    TRY(service_set_value(txn, &variable, &variable.type.shape, &ref, &change, err));
    TRY(record_put_variable(txn, model.id, u->name, &variable, err));
    TRY(service_change_usage(txn, model.id, &change, err));
    *u->before = value;
    memcpy(u->out->name, u->name, strlen(u->name) + 1);
    u->out->type = variable.type;
    u->out->version = variable.version;
    u->out->revision = variable.revision;
    u->out->created = false;
    return OK;
}

enum err_code
variable_count_up_to(struct service *service, const char *model, const char *name, int64_t limit,
                     const struct write_options *options, int64_t *before,
                     struct variable_change *out, struct err *err)
{
    struct count_unit u = {.model = model,
                           .name = name,
                           .limit = limit,
                           .options = options,
                           .before = before,
                           .out = out};
    uint64_t revision = 0;

    TRY(name_check("variable", name, err));
    return service_commit(service, count_unit, &u, options, NULL, &revision, err);
}
