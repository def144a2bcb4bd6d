/* TensorFlow r1.0's graphs: a model's, nodes and edges by pages of variables in the order made; and
 * a checkpoint's, the nodes of a saver of what it holds. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/resource/describe.h"
#include "service/saving/checkpoint_graph.h"
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

/* Adds the value of a Const, if it is told. */
static enum err_code
describe_value(const struct graph_node *node, json_t *json, struct err *err)
{
    json_t *texts = NULL;

    if (node->has_number)
        return api_json_set(json, "value", json_integer(node->number), err);
    if (node->texts == NULL)
        return OK;
    if (node->type.shape.rank == 0)
        return api_json_set(json, "value", json_string(node->texts[0]), err);
    TRY(api_json_made(json_array(), &texts, err));
    TRY(api_json_set(json, "value", texts, err));
    for (uint32_t i = 0; i < node->text_count; i++)
        TRY(api_json_push(texts, json_string(node->texts[i]), err));
    return OK;
}

/* `variable` NULL: of a checkpoint's graph. */
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
    if (variable != NULL)
        TRY(api_json_set(json, "variable", json_string(variable), err));
    if (node->tensor != NULL)
        TRY(api_json_set(json, "tensor", json_string(node->tensor), err));
    if (node->has_dtype)
        TRY(api_json_set(json, "dtype", json_string(dtype_name(node->type.dtype)), err));
    if (node->has_shape) {
        TRY(api_describe_shape(&node->type.shape, &part, err));
        TRY(api_json_set(json, "shape", part, err));
    }
    TRY(describe_value(node, json, err));
    if (node->device != NULL)
        TRY(api_json_set(json, "device", json_string(node->device), err));
    if (node->colocated_with != NULL)
        TRY(api_json_set(json, "colocated_with", json_string(node->colocated_with), err));
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

/* --- of a checkpoint ----------------------------------------------------------------------- */

/* Memory of its nodes: each has a few names of its tensor. */
#define CHECKPOINT_GRAPH_BYTES_MAX ((size_t)256 << 20)

enum { SAVER_NODE_BYTES_MAX = 64 }; /* "save/control_dependency_7:0" */

static enum err_code
describe_saver(const struct checkpoint_graph *graph, json_t **out, struct err *err)
{
    char filename[SAVER_NODE_BYTES_MAX], save[SAVER_NODE_BYTES_MAX];

    if (graph->save == NULL)
        return api_json_made(json_null(), out, err);
    /* SaverDef speaks of tensors, but of an op to restore. */
    snprintf(filename, sizeof filename, "%s:0", graph->filename);
    snprintf(save, sizeof save, "%s:0", graph->save);
    return api_json_made(json_pack("{s:s, s:s, s:s, s:b, s:s}", "filename_tensor_name", filename,
                                   "save_tensor_name", save, "restore_op_name", graph->restore,
                                   "sharded", graph->sharded, "version", "V2"),
                         out, err);
}

static enum err_code
reply_checkpoint(struct api_request *rq, struct api_reply *rp, const struct checkpoint_info *info,
                 const struct checkpoint_graph *graph, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *nodes = NULL;
    AUTO_CALL(api_json_release) json_t *saver = NULL;
    json_t *json = NULL;

    TRY(api_json_made(json_array(), &nodes, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        TRY(describe_node(&graph->nodes[i], NULL, &json, err));
        TRY(api_json_push(nodes, json, err));
    }
    TRY(describe_saver(graph, &saver, err));
    json = json_pack("{s:s, s:s, s:O, s:O, s:I}", "model", api_request_model(rq), "checkpoint",
                     info->name, "nodes", nodes, "saver_def", saver, "revision",
                     (json_int_t)info->record.revision);
    if (json == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory while writing a graph");
    return api_reply_json(rp, 200, json, err);
}

enum err_code
api_checkpoint_graph(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_graph graph;
    struct checkpoint_info info;
    AUTO(arena) arena = {0};
    char representation[40];
    const char *prefix = NULL;
    bool done = false;

    arena_init(&arena, CHECKPOINT_GRAPH_BYTES_MAX);
    TRY(api_request_query_copy(rq, "prefix", &prefix, err));
    TRY(checkpoint_graph(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                         prefix, &arena, &info, &graph, err));
    snprintf(representation, sizeof representation, "graph-%016" PRIx64,
             bytes_hash(BYTES_HASH_BEGIN, api_request_query_text(rq)));
    TRY(api_reply_etag(rq, rp, info.record.revision, representation, &done, err));
    return done ? OK : reply_checkpoint(rq, rp, &info, &graph, err);
}
