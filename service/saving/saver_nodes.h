/* Private to service/: the nodes of a Saver's graph as they are made, in an arena, and the names
 * they get, which TensorFlow counts: "Const", "Const_1" … Whoever makes nodes hands names on
 * without a look, and the node that gets a NULL is refused: ERR_NO_MEMORY. */
#ifndef SERVICE_SAVING_SAVER_NODES_H
#define SERVICE_SAVING_SAVER_NODES_H

#include "service/graph/graph.h"
#include "store/base/arena.h"

enum { SAVER_NODES_COUNTERS_MAX = 16 }; /* more than there are names to count */

struct saver_nodes {
    struct arena *arena; /* borrowed */
    const char **taken;  /* names of variables, sorted */
    size_t taken_count;
    const char *scope; /* of the names to come; NULL: none */
    struct {
        const char *base;
        uint64_t next;
    } counters[SAVER_NODES_COUNTERS_MAX];
    struct graph_node *nodes;
    size_t count, capacity;
};

/* Names that others have. Borrows the list, and sorts it. */
void saver_nodes_avoid(struct saver_nodes *s, const char **taken, size_t count);
/* "base", "base_1" …: the next one of the saver's that is no variable's name. NULL: no memory. */
const char *saver_nodes_name(struct saver_nodes *s, const char *base, struct err *err);
/* "name/inner"; "^name". NULL: no memory. */
const char *saver_nodes_below(struct saver_nodes *s, const char *name, const char *inner,
                              struct err *err);
const char *saver_nodes_control(struct saver_nodes *s, const char *name, struct err *err);

/* Copies the list of inputs. *out is the caller's to complete until the next one comes. */
ERR_MUST_CHECK enum err_code saver_nodes_add(struct saver_nodes *s, const char *name,
                                             const char *op, const char *const *inputs,
                                             size_t input_count, struct graph_node **out,
                                             struct err *err);
/* The node's output is of this type, and its shape is told. */
void saver_nodes_type(struct graph_node *node, const struct tensor_type *type);
/* Constants; any op that gives one string. */
ERR_MUST_CHECK enum err_code saver_nodes_add_texts(struct saver_nodes *s, const char *name,
                                                   const char *const *texts, size_t count,
                                                   bool scalar, struct err *err);
ERR_MUST_CHECK enum err_code saver_nodes_add_number(struct saver_nodes *s, const char *name,
                                                    uint32_t number, struct err *err);
ERR_MUST_CHECK enum err_code saver_nodes_add_of_string(struct saver_nodes *s, const char *name,
                                                       const char *op, const char *const *inputs,
                                                       size_t count, struct err *err);

#endif
