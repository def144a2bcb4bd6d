/* Reading runs: what they require, their operations in order, their guards and fetches. */
#include "api/resource/run_json.h"

#include <math.h>
#include <stdio.h>

#include "api/resource/device_json.h"
#include "api/resource/expr_json.h"
#include "api/resource/variable_names.h"
#include "service/run/verb.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

struct api_run_tree {
    struct api_run_tree *next;
    struct expr_tree tree;
};

void
api_run_drop(struct api_run *run)
{
    for (struct api_run_tree *each = run->trees; each != NULL; each = each->next)
        expr_tree_drop(&each->tree);
    *run = (struct api_run){0};
}

enum err_code
api_run_take_tree(struct api_request *rq, struct api_run *run, const struct api_value *value,
                  enum dtype hint, struct expr_tree **out, struct err *err)
{
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    struct api_run_tree *tree = arena_alloc(api_request_arena(rq), sizeof *tree, err);

    if (tree == NULL)
        return ERR_NO_MEMORY;
    TRY(api_expr_decode_beside(value, hint, &limits, run->tensors, &tree->tree, err));
    tree->next = run->trees;
    run->trees = tree;
    *out = &tree->tree;
    return OK;
}

static enum err_code
unknown_verb(const char *name, struct err *err)
{
    const char *near = verb_nearest(bytes_of_text(name));

    if (near == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'op': there is no operation '%.64s' (GET /v1/verbs lists them)",
                       name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field 'op': there is no operation '%.64s': did you mean '%s'?", name, near);
}

static enum err_code
take_op(struct api_request *rq, const struct api_value *value, struct api_run *run,
        struct run_op *op, struct err *err)
{
    const char *name = NULL;
    struct api_object object;

    TRY(api_object_of(value, &object, err));
    TRY(api_object_text(&object, "op", api_request_arena(rq), &name, NULL, err));
    op->verb = verb_find(bytes_of_text(name));
    if (op->verb == NULL)
        return unknown_verb(name, err);
    return api_run_decode_op(rq, &object, run, op, err);
}

/* --- the whole ----------------------------------------------------------------------------- */

static enum err_code
take_requirement(struct api_request *rq, const struct api_value *value, struct run_requirement *out,
                 struct err *err)
{
    char where[API_WHERE_BYTES_MAX];
    struct api_object object;
    int64_t version = 0, revision = 0;

    TRY(api_object_of(value, &object, err));
    TRY(api_object_variable(&object, "variable", api_request_arena(rq), &out->variable, NULL, err));
    TRY(api_object_i64(&object, "version", &version, &out->has_version, err));
    TRY(api_object_i64(&object, "revision", &revision, &out->has_revision, err));
    TRY(api_object_end(&object, err));
    if (!out->has_version && !out->has_revision)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s needs 'version' or 'revision'",
                       api_value_where(value, where));
    out->version = (uint64_t)version;
    out->revision = (uint64_t)revision;
    return OK;
}

static enum err_code
take_requirements(struct api_request *rq, const struct api_value *list, struct run_spec *spec,
                  struct err *err)
{
    struct run_requirement *out;
    struct api_value *values = NULL;
    size_t count = 0;

    TRY(api_value_elements(list, api_request_arena(rq), &values, &count, err));
    out = arena_array(api_request_arena(rq), count + 1, sizeof *out, err);
    if (out == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        TRY(take_requirement(rq, &values[i], &out[i], err));
    spec->requirements = out;
    spec->requirement_count = count;
    return OK;
}

static enum err_code
take_guards(const struct api_value *value, struct run_spec *spec, struct err *err)
{
    struct api_object object;
    struct api_value norm;
    bool given = false;

    TRY(api_object_of(value, &object, err));
    TRY(api_object_bool(&object, "finite", &spec->finite, &given, err));
    if (api_object_has(&object, "max_update_norm", &norm)) {
        TRY(api_value_f64(&norm, &spec->update_norm_max, err));
        if (!(spec->update_norm_max >= 0) || isinf(spec->update_norm_max))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "field 'guards.max_update_norm' must be a finite number, not negative");
    }
    return api_object_end(&object, err);
}

static enum err_code
take_ops(struct api_request *rq, struct api_run *run, const struct api_value *values, size_t count,
         struct err *err)
{
    struct run_op *ops = arena_array(api_request_arena(rq), count + 1, sizeof *ops, err);

    if (ops == NULL)
        return ERR_NO_MEMORY;
    run->spec.ops = ops;
    run->spec.op_count = count;
    for (size_t i = 0; i < count; i++) {
        enum err_code code = take_op(rq, &values[i], run, &ops[i], err);

        if (code != OK && err != NULL)
            err->failed_operation = (int64_t)i;
        TRY(code);
    }
    return OK;
}

static enum err_code
take_fetches(struct api_request *rq, struct api_run *run, const char **names,
             const struct api_value *values, size_t count, struct err *err)
{
    struct run_fetch *fetches = arena_array(api_request_arena(rq), count + 1, sizeof *fetches, err);

    if (fetches == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        fetches[i].name = names[i];
        TRY(api_run_take_tree(rq, run, &values[i], DTYPE_UNSET, &fetches[i].value, err));
    }
    run->spec.fetches = fetches;
    run->spec.fetch_count = count;
    return OK;
}

static enum err_code
check_counts(struct api_request *rq, size_t ops, size_t fetches, struct err *err)
{
    uint64_t limit = service_limits_of(api_request_service(rq))->variables_per_request_max;

    if (ops <= limit && fetches <= limit)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%zu operations and %zu fetches in one request, the limit is %llu of each "
                   "(variables_per_request_max)",
                   ops, fetches, (unsigned long long)limit);
}

enum err_code
api_run_decode(struct api_request *rq, const struct api_value *body, struct api_run *out,
               struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct api_value *ops = NULL, *fetches = NULL;
    struct api_value value, op_list, fetch_map; /* the latter two say where the others stand */
    const char **fetch_names = NULL;
    size_t op_count = 0, fetch_count = 0;
    struct api_object object;
    bool given = false;

    out->spec = run_spec_default();
    out->spec.numbered = true;
    out->spec.fetch_elements_max = api_request_settings(rq)->max_json_elements;
    TRY(api_object_of(body, &object, err));
    if (api_object_has(&object, "require", &value))
        TRY(take_requirements(rq, &value, &out->spec, err));
    if (api_object_has(&object, "guards", &value))
        TRY(take_guards(&value, &out->spec, err));
    TRY(api_object_bool(&object, "dry_run", &out->spec.dry_run, &given, err));
    TRY(api_device_take(&object, "device", arena, &out->spec.devices, &out->spec.device_count,
                        err));
    if (api_object_has(&object, "ops", &op_list))
        TRY(api_value_elements(&op_list, arena, &ops, &op_count, err));
    if (api_object_has(&object, "fetches", &fetch_map))
        TRY(api_value_fields(&fetch_map, arena, &fetch_names, &fetches, &fetch_count, err));
    TRY(api_object_end(&object, err));
    TRY(check_counts(rq, op_count, fetch_count, err));
    TRY(take_ops(rq, out, ops, op_count, err));
    TRY(take_fetches(rq, out, fetch_names, fetches, fetch_count, err));
    return out->tensors == NULL ? OK : api_tensor_table_end(out->tensors, err);
}
