/* TensorFlow r1.0's graph of a model: nodes and edges, by pages of variables in the order made. */
#include <inttypes.h>
#include <stdio.h>

#include "api/describe.h"
#include "api/handlers/handlers.h"
#include "api/paging.h"
#include "service/graph.h"
#include "store/base/scope.h"

struct graph_reply {
    struct api_page page; /* its items are the nodes */
    json_t *edges;        /* owned */
};

static void
graph_reply_drop(struct graph_reply *reply)
{
    api_page_drop(&reply->page);
    json_decref(reply->edges);
}

static enum err_code
describe_inputs(const struct graph_node *node, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *inputs = NULL;

    TRY(api_json_made(json_array(), &inputs, err));
    for (uint32_t i = 0; i < node->input_count; i++)
        TRY(api_json_push(inputs, json_string(node->inputs[i]), err));
    *out = TAKE(inputs);
    return OK;
}

static enum err_code
describe_node(const struct graph_node *node, const char *variable, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(node->name), err));
    TRY(api_json_set(json, "op", json_string(node->op), err));
    TRY(describe_inputs(node, &part, err));
    TRY(api_json_set(json, "inputs", part, err));
    TRY(api_json_set(json, "variable", json_string(variable), err));
    if (node->has_dtype)
        TRY(api_json_set(json, "dtype", json_string(dtype_name(node->type.dtype)), err));
    if (node->has_shape) {
        TRY(api_describe_shape(&node->type.shape, &part, err));
        TRY(api_json_set(json, "shape", part, err));
    }
    if (node->device != NULL)
        TRY(api_json_set(json, "device", json_string(node->device), err));
    if (node->has_seeds) {
        TRY(api_json_set(json, "seed", json_integer((json_int_t)node->seeds.key), err));
        TRY(api_json_set(json, "op_seed", json_integer((json_int_t)node->seeds.counter_high), err));
    }
    *out = TAKE(json);
    return OK;
}

static enum err_code
push_variable(void *context, const struct graph_variable *variable, struct err *err)
{
    struct graph_reply *reply = context;
    char position[24];
    json_t *json = NULL;

    snprintf(position, sizeof position, "%" PRIu64, variable->position);
    for (size_t i = 0; i < variable->node_count; i++) {
        TRY(describe_node(&variable->nodes[i], variable->name, &json, err));
        TRY(api_page_push(&reply->page, json, position, err));
    }
    for (size_t i = 0; i < variable->edge_count; i++) {
        const struct graph_edge *edge = &variable->edges[i];

        json = json_pack("{s:s, s:s, s:s}", "from", edge->from, "to", variable->name, "kind",
                         edge->initialized ? "initialized_value" : "variable");
        TRY(api_json_push(reply->edges, json, err));
    }
    return OK;
}

static enum err_code
reply_page(struct api_request *rq, struct api_reply *rp, const struct graph_reply *reply,
           uint64_t nodes, uint64_t revision, struct err *err)
{
    json_t *body =
        json_pack("{s:s, s:O, s:O, s:I, s:o, s:I}", "model", api_request_model(rq), "nodes",
                  reply->page.items, "edges", reply->edges, "graph_nodes", (json_int_t)nodes,
                  "next_page_token", reply->page.more ? json_string(reply->page.last) : json_null(),
                  "revision", (json_int_t)revision);

    if (body == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory while writing a graph");
    return api_reply_json(rp, 200, body, err);
}

enum err_code
api_graph_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(graph_reply_drop) struct graph_reply reply = {.edges = NULL};
    const char *prefix = NULL;
    uint64_t after = 0, nodes = 0, revision = 0;
    bool done = false;

    TRY(api_page_begin(rq, &reply.page, err));
    TRY(api_json_made(json_array(), &reply.edges, err));
    if (reply.page.after != NULL)
        TRY(api_request_query_u64(rq, "page_token", 0, &after, err));
    TRY(api_request_query_copy(rq, "prefix", &prefix, err));
    TRY(graph_list(api_request_service(rq), api_request_model(rq), prefix,
                   reply.page.after != NULL ? &after : NULL, reply.page.size, push_variable, &reply,
                   &reply.page.more, &nodes, &revision, err));
    TRY(api_page_etag(rq, rp, revision, &done, err));
    return done ? OK : reply_page(rq, rp, &reply, nodes, revision, err);
}
