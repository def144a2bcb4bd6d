/* TensorFlow r1.0's graph of a model: the nodes its variables stand for, with TensorFlow's names.
 */
#ifndef SERVICE_GRAPH_GRAPH_H
#define SERVICE_GRAPH_GRAPH_H

#include "service/random/random.h"
#include "service/service.h"
#include "service/tensor/tensor.h"

/* A page ends early when it has so many nodes. */
enum { GRAPH_PAGE_NODES_MAX = 100000 };

struct graph_node {
    const char *name, *op;     /* op: TensorFlow's type of it */
    const char *const *inputs; /* names of nodes; "^name": by a control edge */
    uint32_t input_count;
    const char *device;         /* NULL: none */
    const char *colocated_with; /* the op of a variable whose device it is on; NULL: none */
    bool has_dtype, has_shape;
    struct tensor_type type;
    bool has_seeds; /* of a node that draws, when they are known ahead */
    struct random_seeds seeds;
    const char *tensor; /* of a checkpoint, that it is for; NULL: none */
    /* The value of a Const that is told; neither: it is not. */
    const char *const *texts; /* of one that has no shape the only one */
    uint32_t text_count;
    bool has_number;
    uint32_t number;
};

/* An initial value reads another variable. */
struct graph_edge {
    const char *from;
    bool initialized; /* as initialized_value */
};

/* The nodes of one variable, in the order made. Lives for a visit. */
struct graph_variable {
    const char *name;
    uint64_t position; /* nodes of the graph made before these */
    const struct graph_node *nodes;
    size_t node_count;
    const struct graph_edge *edges;
    size_t edge_count;
};

typedef enum err_code graph_visit(void *context, const struct graph_variable *variable,
                                  struct err *err);
/* In the order the variables were made; those whose name begins with prefix (NULL: all). `after`: a
 * position, NULL: from the first. At most count_max variables; *more: there are others. *nodes: how
 * many the graph has had so far. *revision: of the model. */
ERR_MUST_CHECK enum err_code graph_list(struct service *service, const char *model,
                                        const char *prefix, const uint64_t *after, size_t count_max,
                                        graph_visit *visit, void *context, bool *more,
                                        uint64_t *nodes, uint64_t *revision, struct err *err);

#endif
