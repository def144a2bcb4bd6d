/* The state file `checkpoint` beside TensorFlow's checkpoints: which of several is the latest. */
#ifndef API_WIRE_TF_STATE_H
#define API_WIRE_TF_STATE_H

#include "api/wire/format.h"

/* The prefix of the latest checkpoint as the names of the files have it, in the arena: when there
 * is one state file and it says one. Else data is NULL; errors mean the same. */
struct bytes api_tf_state_latest(const struct api_wire_input *input);
/* Puts a state file after what is laid out already: `prefix` is the latest and only one. */
ERR_MUST_CHECK enum err_code api_tf_state_lay_out(struct api_layout *out, const char *prefix,
                                                  struct err *err);

#endif
