/* The row of V1 checkpoints in the table of formats. */
#include "api/wire/tf_v1.h"
#include "api/wire/tf_v1_values.h"

/* Numbers of fixed size take as much as they do here, varints a byte at least. */
static const char *
unfit(struct bytes name, const struct tensor_type *type)
{
    const struct api_tf_v1_form *form = api_tf_v1_form_of(type->dtype);
    uint64_t size = shape_count(&type->shape);

    if (name.size == 0)
        return "a V1 file has no tensors without a name";
    if (form == NULL)
        return "a V1 file has no values of this type";
    if (form->wire == API_PROTO_FIXED32 || form->wire == API_PROTO_FIXED64)
        size = tensor_type_bytes(type);
    return size > INT32_MAX ? "a V1 file has no record of 2 GiB" : NULL;
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
