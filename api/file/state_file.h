/* The text file `checkpoint` that TensorFlow keeps in a directory: which checkpoints are in it, and
 * which is the latest. Protobuf text format of CheckpointState. Paths are data here; whoever opens
 * one decides what it may be (api/file/root.h). */
#ifndef API_FILE_STATE_FILE_H
#define API_FILE_STATE_FILE_H

#include "store/base/arena.h"
#include "store/base/buf.h"

#define API_STATE_FILE_NAME "checkpoint"

enum {
    API_STATE_FILE_BYTES_MAX = 1 << 20,
    API_STATE_FILE_PATHS_MAX = 10000, /* older ones are forgotten when one more is added */
    API_STATE_FILE_DEPTH_MAX = 64     /* of unknown fields inside one another */
};

struct api_state_file {
    struct bytes latest; /* model_checkpoint_path; data NULL when there is none */
    struct bytes *paths; /* all_model_checkpoint_paths: oldest first; from the arena */
    size_t path_count, path_capacity;
};

/* Fields that are not known are passed over. The arena gets copies, so `text` may go.
 * ERR_INVALID_ARGUMENT names the line; so for a path with a NUL and for what is over the limits. */
ERR_MUST_CHECK enum err_code api_state_file_read(struct bytes text, struct arena *arena,
                                                 struct api_state_file *out, struct err *err);
/* `path` becomes the latest, and the last of the list; it was somewhere in it: there no longer. */
ERR_MUST_CHECK enum err_code api_state_file_add(struct api_state_file *state, struct bytes path,
                                                struct arena *arena, struct err *err);
/* As TensorFlow writes it. */
ERR_MUST_CHECK enum err_code api_state_file_write(const struct api_state_file *state,
                                                  struct buf *out, struct err *err);

#endif
