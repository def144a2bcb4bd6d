/* TensorFlow's V2 checkpoints as a format of sets. */
#include "api/wire/tf_v2.h"

const struct api_wire_format api_wire_tf_v2 = {
    .name = "tf_v2",
    .media_type = "application/vnd.tensorflow.checkpoint-v2",
    .many_files = true,
    .in_state = true,
    .claims = api_tf_v2_claims,
    .open = api_tf_v2_open,
    .write = api_tf_v2_write,
    .unfit = api_tf_v2_unfit,
};
