/* The row of V1 checkpoints in the table of formats. */
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_values.h"

static const char *
unfit(struct bytes name, const struct tensor_type *type)
{
    if (name.size == 0)
        return "a V1 file has no tensors without a name";
    if (api_tf_v1_form_of(type->dtype) == NULL)
        return "a V1 file has no values of this type";
    return NULL;
}

const struct api_wire_format api_wire_tf_v1 = {
    .name = "tf_v1",
    .media_type = "application/vnd.tensorflow.checkpoint-v1",
    .in_state = true,
    .claims = api_tf_v1_claims,
    .open = api_tf_v1_open,
    .write = api_tf_v1_write,
    .unfit = unfit,
};
