/* What TensorFlow r1.0's Saver would put into a graph to save and restore what a checkpoint holds:
 * the saver's part of the .meta file beside one. */
#ifndef SERVICE_SAVING_CHECKPOINT_GRAPH_H
#define SERVICE_SAVING_CHECKPOINT_GRAPH_H

#include "service/graph/graph.h"
#include "service/saving/checkpoint.h"

/* In the arena, all of it. */
struct checkpoint_graph {
    const struct graph_node *nodes; /* in the order made: variables, saving, restoring */
    size_t node_count;
    /* What a SaverDef names; NULL: there is nothing to save. */
    const char *filename, *save, *restore;
    bool sharded;
};

/* Of the tensors whose names begin with prefix (NULL: all). Tensors are told as the variables of
 * their names, parts of a partition one by one ("w/part_0"): a checkpoint knows neither other names
 * nor devices. ERR_PAYLOAD_TOO_LARGE: more than GRAPH_PAGE_NODES_MAX nodes. */
ERR_MUST_CHECK enum err_code checkpoint_graph(struct service *service, const char *model,
                                              const char *name, const char *prefix,
                                              struct arena *arena, struct checkpoint_info *info,
                                              struct checkpoint_graph *out, struct err *err);

#endif
