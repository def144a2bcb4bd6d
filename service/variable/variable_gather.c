/* gather: rows of one variable by number, all of one revision. */
#include "service/expr/compute.h"
#include "service/graph/graph_walk.h"
#include "service/training/sparse.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

/* Which rows, and the type of the result. The indices may be computed from variables. */
static enum err_code
find_rows(struct service *service, const struct sparse_target *target,
          const struct model_record *model, const struct store_view *view,
          struct expr_tree *indices, struct sparse *rows, struct tensor_type *type, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(service);
    AUTO(compute_source) reads = {0};
    AUTO(tensor) numbers = {0};
    struct expr_source source;
    struct usage_record usage;
    struct tensor_view read;

    compute_source_init(&reads, view, model->id);
    source = compute_expr_source(&reads);
    TRY(expr_infer(indices, &source, DTYPE_INT64, err));
    TRY(sparse_check_gather(target, &indices->root->type, type, err));
    TRY(sparse_check_memory(target, &indices->root->type.shape, options.bytes_max, err));
    TRY(record_get_usage(view, model->id, &usage, err));
    TRY(graph_draw(model, usage.graph_nodes, target->name, indices, err));
    TRY(compute_tensor(indices, "indices", &source, &options, &numbers, err));
    read = tensor_view_of(&numbers);
    return sparse_read_rows(target, &read, rows, err);
}

enum err_code
variable_gather(struct service *service, const char *model, const char *name,
                struct expr_tree *indices, enum dtype cast_to, struct tensor_set *out,
                struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(tensor_set) set = {0};
    AUTO(sparse) rows = {0};
    struct model_record model_record;
    struct variable_record record;
    struct sparse_target target = {.verb = "gather from", .name = name, .type = &record.type};
    struct tensor_type type;

    TRY(name_check("variable", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), model, &model_record, err));
    TRY(service_find_variable(store_snapshot_view(snapshot), model_record.id, name, &record, err));
    if (record.value.kind == VALUE_NONE)
        return compute_uninitialized(name, err);
    TRY(find_rows(service, &target, &model_record, store_snapshot_view(snapshot), indices, &rows,
                  &type, err));
    TRY(tensor_set_open(service, snapshot, false, &set, err));
    TRY(tensor_set_add_rows(&set, snapshot, name, &record.type, &record.value, &rows, &type.shape,
                            cast_to, err));
    set.entries[0].revision = record.revision;
    set.entries[0].version = record.version;
    *out = TAKE(set);
    return OK;
}
