/* What an evaluation is made of. Private to the evaluator (evaluator.c, evaluator_plan.c,
 * evaluator_args.c, evaluator_apart.c).
 *
 * The plan decides for every node how its elements are had:
 *   direct  again for every range asked for
 *   cached  once per tile: its readers go through the same tiles, element beside element
 *   kept    whole, in memory, before anything that reads it
 * and the evaluation owns what is kept. An evaluator is one thread's view of it: its tiles, caches
 * and windows. */
#ifndef SERVICE_EXPR_EVALUATION_H
#define SERVICE_EXPR_EVALUATION_H

#include "service/device/engine.h"
#include "service/expr/op_helpers.h"
#include "service/expr/op_layout.h"
#include "store/base/arena.h"
#include "store/base/lock.h"

enum plan_kind { PLAN_DIRECT, PLAN_CACHED, PLAN_KEPT };

/* A reader of nodes that is not a node: whoever reads the root. */
#define PLAN_ROOT UINT32_MAX

struct plan_node {
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    enum plan_kind kind;
    bool constant;    /* the whole result is `element` */
    bool must_keep;   /* an op wants it whole */
    uint32_t readers; /* arguments that mean it, past ops that only rename */
    uint32_t group;   /* the node (or PLAN_ROOT) whose ranges it is asked for in; of a shared one
                         PLAN_NO_GROUP when its readers are in different ones */
    uint32_t last;    /* the kept node (or PLAN_ROOT) that reads it last, by index */
    uint32_t window_first; /* of its arguments' windows */
};

/* By node index; owned. */
struct plan {
    const struct expr_tree *tree; /* borrowed */
    struct plan_node *nodes;
    uint32_t edge_count; /* arguments of all nodes together */
};

/* Past ops that only rename or reshape. */
const struct expr *plan_see_through(const struct expr *node);
/* ERR_PAYLOAD_TOO_LARGE past the options' limits. Owned: plan_drop. */
ERR_MUST_CHECK enum err_code plan_make(const struct expr_tree *tree,
                                       const struct evaluator_options *options, struct plan *out,
                                       struct err *err);
void plan_drop(struct plan *plan);
bool plan_is_kept(const struct plan *plan, const struct expr *node);

struct evaluation {
    struct plan plan;
    const struct expr_source *source;
    struct lock source_lock;
    struct evaluator_options options;
    uint8_t **kept;             /* by node index; owned */
    struct device_memory apart; /* the result, where a device has computed it all; owned */
    struct evaluator **lanes;   /* parallel_threads of them, made when first wanted; owned */
    uint32_t lane_count;
};

/* The part of a broadcast argument that was computed last. */
struct window {
    struct op_layout layout;
    uint8_t *data;
    uint64_t first, count, capacity; /* elements */
    uint64_t total;                  /* of the argument */
};

/* The tile of a cached node that was computed last. */
struct tile_cache {
    uint8_t *data;
    uint64_t first, count;
};

struct evaluator {
    struct evaluation *evaluation; /* shared by all lanes; owned by the first */
    struct arena arena;            /* windows and caches */
    struct tile_cache *caches;     /* by node index */
    struct window **windows;       /* by plan_node.window_first + argument */
    void **tiles;
    uint32_t tiles_used, tiles_made; /* at most edge_count */
    uint64_t thinned; /* of how many elements that are read one is wanted, by all layouts under way;
                         0: of each */
};

enum { TILE_BYTES = OP_TILE_ELEMENTS * OP_ELEMENT_BYTES_MAX };

/* Elements of a node into out, whatever its kind; count up to a tile where the node is an op that
 * is evaluated. */
ERR_MUST_CHECK enum err_code evaluator_node(struct evaluator *e, const struct expr *node,
                                            uint64_t first, uint64_t count, void *out,
                                            struct err *err);
/* The same for any count. */
ERR_MUST_CHECK enum err_code evaluator_run(struct evaluator *e, const struct expr *node,
                                           uint64_t first, uint64_t count, void *out,
                                           struct err *err);

/* Whether the device of the options computes it, in memory of its own; doing so; and elements of
 * the result. */
bool evaluator_is_apart(const struct evaluation *evaluation);
ERR_MUST_CHECK enum err_code evaluator_compute_apart(struct evaluation *evaluation,
                                                     struct err *err);
ERR_MUST_CHECK enum err_code evaluator_read_apart(const struct evaluation *evaluation,
                                                  uint64_t first, uint64_t count, void *out,
                                                  struct err *err);

#endif
