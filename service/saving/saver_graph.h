/* Private to service/: what a Saver adds to TensorFlow's graph to save and restore tensors. */
#ifndef SERVICE_SAVING_SAVER_GRAPH_H
#define SERVICE_SAVING_SAVER_GRAPH_H

#include "service/saving/checkpoint_graph.h"

/* One that was whole, or one part of it. */
struct saver_tensor {
    const char *name, *variable, *spec; /* spec "": whole */
    struct tensor_type type;
    uint32_t shard;
    size_t order; /* in which it was found */
};

/* Nodes of each tensor or part: its variable, and four to restore it. */
enum { SAVER_GRAPH_NODES_EACH = 5 };

/* At least one tensor; sorts them. All of *out is in the arena, and borrows the texts. `id`: of the
 * checkpoint. */
ERR_MUST_CHECK enum err_code saver_graph_make(struct saver_tensor *tensors, size_t count,
                                              uint64_t id, struct arena *arena,
                                              struct checkpoint_graph *out, struct err *err);

#endif
