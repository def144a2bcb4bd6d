/* Private to service/: a variable's part of the graph while it is put together. */
#ifndef SERVICE_GRAPH_GRAPH_ASSEMBLY_H
#define SERVICE_GRAPH_GRAPH_ASSEMBLY_H

#include "service/graph/graph.h"
#include "service/graph/graph_place.h"
#include "service/graph/graph_walk.h"
#include "service/placement/model_setter.h"
#include "store/base/arena.h"

struct graph_assembly {
    const struct store_view *view;
    const struct model_record *model;
    struct arena *arena;
    const char *graph_name; /* the variable's node */
    const struct expr_tree *tree;
    bool inferred;
    const char **outputs; /* by node index: the graph node whose output is its value */
    struct graph_node *nodes;
    size_t count;
    struct graph_numbers numbers;
    /* where the ops of the initial value are */
    struct model_setter setter;
    struct device_spec own; /* what the variable's request said */
    bool hides, placeable;
    /* of the op whose nodes are coming */
    const struct expr *expr;
    const char *scope;
    const char **inputs; /* arguments, then attributes */
    uint32_t input_count;
};

/* Names and texts lie in the arena; NULL: no memory. */
const char *graph_assembly_text(struct graph_assembly *a, const char *first, const char *second,
                                const char *third, struct err *err);
/* A variable's op in the graph; the name itself where the variable is gone. */
ERR_MUST_CHECK enum err_code graph_assembly_variable(struct graph_assembly *a, const char *name,
                                                     const char **out, struct err *err);

/* graph_item_visit of a struct graph_assembly: the item's node, with name, inputs, type, seeds and
 * device. There is room for it among the nodes. */
ERR_MUST_CHECK enum err_code graph_assembly_item(void *context, const struct graph_item *item,
                                                 struct err *err);
/* The node whose output is the value of an expression whose nodes are made. */
ERR_MUST_CHECK enum err_code graph_assembly_output(struct graph_assembly *a,
                                                   const struct expr *expr, const char **out,
                                                   struct err *err);
/* The device is the node's; "": none. */
ERR_MUST_CHECK enum err_code graph_assembly_device(struct graph_assembly *a, const char *device,
                                                   struct graph_node *node, struct err *err);
/* A node of the initial value gets its device, or its variable's. */
ERR_MUST_CHECK enum err_code graph_assembly_place(struct graph_assembly *a, struct graph_node *node,
                                                  struct err *err);

#endif
