/* The variable that counts steps: which one it is, what it holds, and one more. */
#include "service/tensor/convert.h"
#include "service/training/optimizer_parts.h"

static enum err_code
find(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    struct draft_variable *variable = NULL;
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    TRY(draft_find_initialized(draft, name, &variable, err));
    if ((variable->form.type.dtype != DTYPE_INT32 && variable->form.type.dtype != DTYPE_INT64) ||
        variable->form.type.shape.rank != 0) {
        err_about(err, "variable", name);
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "global_step '%s' must be an int32 or int64 scalar, it is %s", name,
                       tensor_type_text(&variable->form.type, text));
    }
    *out = variable;
    return OK;
}

/* Never by way of a double, which has no room for the steps past 2^53. */
static enum err_code
read(struct draft *draft, struct draft_variable *variable, int64_t *out, struct err *err)
{
    enum dtype dtype = variable->form.type.dtype;
    _Alignas(16) uint8_t element[16];

    TRY(draft_read(draft, variable, 0, dtype_size(dtype), element, err));
    tensor_cast(dtype, element, DTYPE_INT64, out, 1);
    return OK;
}

enum err_code
optimizer_find_global_step(struct optimizer_apply *apply, struct err *err)
{
    struct draft *draft = apply->run->draft;

    if (apply->spec->global_step != NULL) {
        TRY(find(draft, apply->spec->global_step, &apply->counted_variable, err));
        TRY(draft_check_device(draft, apply->counted_variable, err));
    }
    if (apply->config.optimizer->needs_global_step)
        TRY(find(draft, apply->config.global_step, &apply->read_variable, err));
    return OK;
}

enum err_code
optimizer_read_global_step(struct optimizer_apply *apply, struct err *err)
{
    TRY(optimizer_find_global_step(apply, err));
    if (apply->read_variable == NULL)
        return OK;
    return read(apply->run->draft, apply->read_variable, &apply->global_step, err);
}

enum err_code
optimizer_count_step(struct optimizer_apply *apply, struct optimizer_applied *out, struct err *err)
{
    struct draft_variable *variable = apply->counted_variable;
    _Alignas(16) uint8_t element[16];
    int64_t step = 0;

    if (variable == NULL)
        return OK;
    TRY(read(apply->run->draft, variable, &step, err));
    step = (int64_t)((uint64_t)step + 1);
    tensor_cast(DTYPE_INT64, &step, variable->form.type.dtype, element, 1);
    tensor_cast(variable->form.type.dtype, element, DTYPE_INT64, &step, 1); /* as it is kept */
    TRY(optimizer_write_scalar(apply->run->draft, variable, element, err));
    out->has_global_step = true;
    out->global_step = step;
    return OK;
}
