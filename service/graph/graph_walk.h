/* Private to service/: the nodes that an expression stands for in TensorFlow r1.0's graph. */
#ifndef SERVICE_GRAPH_GRAPH_WALK_H
#define SERVICE_GRAPH_GRAPH_WALK_H

#include "service/expr/op.h"
#include "service/record/record.h"

/* graph_item.element of a node that is none of many. */
#define GRAPH_NO_ELEMENT UINT32_MAX

/* One node. Borrows from the tree and the tables of ops. */
struct graph_item {
    const struct expr *expr;         /* what it is a node of */
    const char *name;                /* below the scope that expr opens; "": the scope's own */
    uint32_t element;                /* "<name>_<element>" */
    const char *type;                /* TensorFlow's */
    const struct op_graph_node *row; /* NULL: none stands for it */
    uint32_t argument;               /* a literal argument's Const; else GRAPH_NO_ELEMENT */
    const struct attr_spec *attr;    /* an attribute's Const; else NULL */
    bool last;                       /* of expr's: the one whose output is expr's value */
};

typedef enum err_code graph_item_visit(void *context, const struct graph_item *item,
                                       struct err *err);
/* Every node in the order made: arguments first, as written; one that several ops mean once. A
 * literal that is the whole expression makes none here. */
ERR_MUST_CHECK enum err_code graph_walk(const struct expr_tree *tree, graph_item_visit *visit,
                                        void *context, struct err *err);

/* The name of the scope that an expression node opens in the graph, before it is made unique; NULL:
 * it opens none; "": an initializer's nodes lie in its variable's scope for them itself. */
const char *graph_scope_name(const struct expr_tree *tree, const struct expr *node);
/* An initializer that is the whole expression: its nodes lie below its variable's. */
bool graph_is_initializer(const struct expr_tree *tree);
/* A cast that makes no node here; else NULL. */
const struct op_graph_node *graph_cast_passed(const struct expr *node, struct bytes name);
/* Whether a name below a scope may be that of a node some op makes. */
bool graph_is_inner_name(struct bytes name);

/* How many nodes the expression makes. */
ERR_MUST_CHECK enum err_code graph_count(const struct expr_tree *tree, uint64_t *out,
                                         struct err *err);
/* How many nodes a variable with this initial value (NULL: none) makes, with the expression's. */
ERR_MUST_CHECK enum err_code graph_count_variable(const struct expr_tree *initial_value,
                                                  uint64_t *out, struct err *err);
/* Whether a random op of the expression has no op seed of its own. */
bool graph_wants_seed(const struct expr_tree *tree);

/* expr_draw as the model has it: `position` nodes are in the graph before the expression's. */
ERR_MUST_CHECK enum err_code graph_draw(const struct model_record *model, uint64_t position,
                                        const char *variable_name, struct expr_tree *tree,
                                        struct err *err);

#endif
