/* Private to service/: a variable takes its place in its model's graph, and leaves it. */
#ifndef SERVICE_GRAPH_GRAPH_PLACE_H
#define SERVICE_GRAPH_GRAPH_PLACE_H

#include "service/expr/expr.h"
#include "service/record/record.h"
#include "service/state.h"
#include "store/base/buf.h"

/* Gives a new variable's nodes their numbers and names: sets record->graph_position and
 * graph_number and adds to change->graph_nodes. `initial_value` is inferred; NULL: none. The
 * counters must not hold changes of this transaction that are not written. */
ERR_MUST_CHECK enum err_code graph_place(struct store_txn *txn, uint64_t model_id, const char *name,
                                         const struct expr_tree *initial_value,
                                         struct variable_record *record,
                                         struct usage_change *change, struct err *err);
/* The numbers of the scopes that an expression opens, in order. Of one name they mostly follow each
 * other, so that only those that do not are recorded: u32 which scope of the expression, u64 its
 * number, little-endian. */
enum { GRAPH_NAMES_MAX = 256 }; /* more than there are ops */
struct graph_numbers {
    struct {
        const char *name; /* borrowed */
        uint64_t next;
    } names[GRAPH_NAMES_MAX];
    uint32_t name_count;
    uint32_t index;         /* of the scope that comes next */
    struct reader recorded; /* when reading: a place_record's numbers */
};
/* The number of the next scope, which has this name. */
uint64_t graph_numbers_read(struct graph_numbers *numbers, const char *name);

/* "name", or "name_3"; returns out. */
enum { GRAPH_SCOPE_BYTES_MAX = NAME_BYTES_MAX + 24 };
const char *graph_numbered_name(const char *base, uint64_t number,
                                char out[static GRAPH_SCOPE_BYTES_MAX]);

/* Numbers are not given back. */
ERR_MUST_CHECK enum err_code graph_leave(struct store_txn *txn, uint64_t model_id,
                                         const struct variable_record *record, struct err *err);

#endif
