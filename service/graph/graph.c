/* Listing a model's graph, by its places: the index that keeps variables in the order made. */
#include "service/graph/graph.h"

#include <stdio.h>

#include "service/graph/graph_nodes.h"
#include "service/name.h"
#include "service/state.h"
#include "store/base/scope.h"

/* Of one variable's nodes. */
#define VARIABLE_BYTES_MAX ((size_t)256 << 20)

struct listing {
    const struct service *service;
    const struct store_view *view;
    const struct model_record *model;
    graph_visit *visit;
    void *context;
    size_t nodes; /* shown */
};

/* Where the next page begins tells what was seen: nodes are made only behind it. */
static enum err_code
show(struct listing *l, const struct place_record *place, struct err *err)
{
    struct variable_record variable;
    struct graph_variable shown;
    char name[NAME_BYTES_MAX + 1];
    AUTO(arena) arena;

    arena_init(&arena, VARIABLE_BYTES_MAX);
    snprintf(name, sizeof name, "%.*s", (int)place->name.size, (const char *)place->name.data);
    TRY(service_find_variable(l->view, l->model->id, name, &variable, err));
    TRY(graph_nodes_of(l->service, l->view, l->model, name, &variable, place->numbers, &arena,
                       &shown, err));
    l->nodes += shown.node_count;
    return l->visit(l->context, &shown, err);
}

static bool
begins_with(struct bytes name, const char *prefix)
{
    size_t size = prefix == NULL ? 0 : strlen(prefix);

    return name.size >= size && (size == 0 || memcmp(name.data, prefix, size) == 0);
}

enum err_code
graph_list(struct service *service, const char *model, const char *prefix, const uint64_t *after,
           size_t count_max, graph_visit *visit, void *context, bool *more, uint64_t *nodes,
           uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    struct record_key places, start;
    struct model_record record;
    struct usage_record usage;
    struct listing l = {.service = service, .model = &record, .visit = visit, .context = context};
    bool found = true;

    TRY(name_check_start(prefix, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    l.view = store_snapshot_view(snapshot);
    TRY(service_find_model(l.view, model, &record, err));
    TRY(record_get_usage(l.view, record.id, &usage, err));
    *revision = usage.revision;
    *nodes = usage.graph_nodes;
    *more = false;
    places = record_key_places(record.id);
    start = record_key_place(record.id, after != NULL ? *after : 0);
    TRY(store_cursor_open(l.view, record_key_bytes(&places),
                          after != NULL ? record_key_bytes(&start) : bytes_of(NULL, 0), &cursor,
                          err));
    for (size_t count = 0;;) {
        struct place_record place;
        struct bytes key, value;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_place(value, &place, err));
        if (!begins_with(place.name, prefix))
            continue;
        if (count++ == count_max || l.nodes >= GRAPH_PAGE_NODES_MAX) {
            *more = true;
            return OK;
        }
        TRY(show(&l, &place, err));
    }
}
