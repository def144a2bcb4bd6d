/* Private to service/: one variable's part of the graph. */
#ifndef SERVICE_GRAPH_GRAPH_NODES_H
#define SERVICE_GRAPH_GRAPH_NODES_H

#include "service/graph/graph.h"
#include "service/record/record.h"
#include "store/base/arena.h"

/* `numbers` as place_record has them. Ops of the initial value are where the model's device and
 * placement would have them now. *out borrows from the arena, which also holds copies of all
 * texts. */
ERR_MUST_CHECK enum err_code graph_nodes_of(const struct service *service,
                                            const struct store_view *view,
                                            const struct model_record *model, const char *name,
                                            const struct variable_record *variable,
                                            struct bytes numbers, struct arena *arena,
                                            struct graph_variable *out, struct err *err);

#endif
