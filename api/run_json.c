/* Reading runs. Which fields an operation has is its verb's row; each field is read here once, for
 * every verb that has it. */
#include "api/run_json.h"

#include <math.h>
#include <stdio.h>

#include "api/expr_json.h"
#include "api/gradients_json.h"
#include "api/picks.h"
#include "service/variable.h"
#include "service/verb.h"
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

/* --- one field each ------------------------------------------------------------------------ */

static enum err_code
missing(const struct api_object *object, const char *field, struct err *err)
{
    char where[API_WHERE_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT, "%s: field '%s' is missing",
                   api_value_where(&object->value, where), field);
}

static enum err_code
take_expression(struct api_request *rq, struct api_object *object, const char *field,
                enum dtype hint, struct api_run *run, struct expr_tree **out, struct err *err)
{
    struct api_value value;

    if (!api_object_has(object, field, &value))
        return missing(object, field, err);
    return api_run_take_tree(rq, run, &value, hint, out, err);
}

enum err_code
api_run_take_variable(struct api_request *rq, struct api_object *object, const char *field,
                      const char **out, bool *given, struct err *err)
{
    struct arena *arena = api_request_arena(rq);

    TRY(api_object_text(object, field, arena, out, given, err));
    if (given != NULL && !*given)
        return OK;
    *out = arena_text(arena, bytes_of(*out, name_without_output(*out)), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

enum err_code
api_run_literal_dtype(struct api_request *rq, const char *variable, enum dtype *out,
                      struct err *err)
{
    struct tensor_type type;
    uint64_t revision = 0;
    struct err own = ERR_INIT;
    enum err_code code = variable_type(api_request_service(rq), api_request_model(rq), variable,
                                       &type, &revision, &own);

    *out = code == OK ? type.dtype : DTYPE_UNSET;
    if (code == OK || code == ERR_NOT_FOUND) /* told by the operation, in its place */
        return OK;
    return err_set(err, code, "%s", own.text);
}

enum err_code
api_initialize_take(struct api_request *rq, struct api_object *object, struct initialize_spec *out,
                    struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char **names = NULL;
    bool named = false, given = false, prefixed = false;

    TRY(api_object_texts(object, "variables", arena, &names, &out->name_count, &named, err));
    TRY(api_object_text(object, "collection", arena, &out->collection, &given, err));
    TRY(api_object_text(object, "prefix", arena, &out->prefix, &prefixed, err));
    if (named && (given || prefixed))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "give 'variables', or 'collection' and 'prefix', not both");
    TRY(api_object_bool(object, "only_uninitialized", &out->only_uninitialized, &given, err));
    for (size_t i = 0; named && i < out->name_count; i++) {
        names[i] = arena_text(arena, bytes_of(names[i], name_without_output(names[i])), err);
        if (names[i] == NULL)
            return ERR_NO_MEMORY;
    }
    out->names = named ? names : NULL;
    return OK;
}

/* 1000, or {"variable": "global_step"}. */
static enum err_code
take_step(struct api_request *rq, struct api_object *object, struct checkpoint_save_spec *spec,
          struct err *err)
{
    struct api_value value;
    struct api_object step;

    if (!api_object_has(object, "global_step", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    if (api_value_kind(&value) != API_OBJECT) {
        spec->has_global_step = true;
        return api_value_i64(&value, &spec->global_step, err);
    }
    TRY(api_object_of(&value, &step, err));
    TRY(api_run_take_variable(rq, &step, "variable", &spec->global_step_variable, NULL, err));
    return api_object_end(&step, err);
}

enum err_code
api_save_take(struct api_request *rq, struct api_object *object, struct checkpoint_save_spec *out,
              struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct api_value picks;
    bool given = false;

    TRY(api_object_text(object, "name", arena, &out->name, NULL, err));
    TRY(take_step(rq, object, out, err));
    if (api_object_has(object, "variables", &picks))
        TRY(api_picks_take(rq, &picks, &out->picks, &out->pick_count, err));
    TRY(api_object_text(object, "prefix", arena, &out->prefix, &given, err));
    if (given && out->picks != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "give 'variables' or 'prefix', not both");
    TRY(api_object_bool(object, "overwrite", &out->overwrite, &given, err));
    return api_object_bool(object, "allow_empty", &out->allow_empty, &given, err);
}

/* --- one operation ------------------------------------------------------------------------- */

static enum err_code
take_trees(struct api_request *rq, struct api_object *object, struct api_run *run,
           struct run_op *op, struct err *err)
{
    unsigned fields = op->verb->fields;
    enum dtype dtype = DTYPE_UNSET;

    if (op->variable != NULL)
        TRY(api_run_literal_dtype(rq, op->variable, &dtype, err));
    if (fields & VERB_INDICES)
        TRY(take_expression(rq, object, "indices", DTYPE_INT64, run, &op->indices, err));
    if (fields & VERB_UPDATES)
        TRY(take_expression(rq, object, "updates", dtype, run, &op->value, err));
    if (fields & VERB_VALUE)
        TRY(take_expression(rq, object, "value", dtype, run, &op->value, err));
    if (fields & VERB_DECAY)
        TRY(take_expression(rq, object, "decay", DTYPE_UNSET, run, &op->decay, err));
    return OK;
}

/* Of an optimizer: its gradients, or variables alone. */
static enum err_code
take_gradients(struct api_request *rq, struct api_object *object, struct api_run *run,
               struct run_op *op, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct optimizer_gradients *gradients = arena_alloc(arena, sizeof *gradients, err);

    if (gradients == NULL)
        return ERR_NO_MEMORY;
    gradients->optimizer = op->resource;
    if (gradients->optimizer == NULL)
        TRY(api_object_text(object, "optimizer", arena, &gradients->optimizer, NULL, err));
    if (op->verb->fields & VERB_GRADIENTS)
        TRY(api_gradients_take(rq, object, run, gradients, err));
    if (op->verb->fields & VERB_VARIABLES)
        TRY(api_gradient_variables_take(rq, object, gradients, err));
    op->gradients = gradients;
    return OK;
}

static enum err_code
take_specs(struct api_request *rq, struct api_object *object, struct run_op *op, struct err *err)
{
    struct arena *arena = api_request_arena(rq);

    if (op->verb->fields & VERB_INITIALIZE) {
        struct initialize_spec *spec = arena_alloc(arena, sizeof *spec, err);

        if (spec == NULL)
            return ERR_NO_MEMORY;
        TRY(api_initialize_take(rq, object, spec, err));
        op->initialize = spec;
    }
    if (op->verb->fields & VERB_SAVE) {
        struct checkpoint_save_spec *spec = arena_alloc(arena, sizeof *spec, err);

        if (spec == NULL)
            return ERR_NO_MEMORY;
        TRY(api_save_take(rq, object, spec, err));
        op->save = spec;
    }
    return OK;
}

/* A field that no verb has, or not this one, is told before one that is missing: a typo is both. */
static enum err_code
check_fields(struct api_object *object, const struct run_op *op, struct err *err)
{
    static const struct {
        unsigned field;
        const char *name;
    } known[] = {
        {VERB_VALUE, "value"},
        {VERB_VALIDATE_SHAPE, "validate_shape"},
        {VERB_LIMIT, "limit"},
        {VERB_INDICES, "indices"},
        {VERB_UPDATES, "updates"},
        {VERB_DECAY, "decay"},
        {VERB_ZERO_DEBIAS, "zero_debias"},
    };
    struct api_value value;
    unsigned left = op->verb->fields & ~(unsigned)VERB_VARIABLE;

    if ((op->verb->fields & VERB_VARIABLE) && op->variable == NULL)
        (void)api_object_has(object, "variable", &value);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (op->verb->fields & known[i].field)
            (void)api_object_has(object, known[i].name, &value);
        left &= ~known[i].field;
    }
    return left != 0 ? OK : api_object_end(object, err); /* the rest has fields of its own */
}

enum err_code
api_run_decode_op(struct api_request *rq, struct api_object *object, struct api_run *run,
                  struct run_op *op, struct err *err)
{
    unsigned fields = op->verb->fields;
    bool given = false;

    op->validate_shape = true;
    op->zero_debias = true;
    TRY(check_fields(object, op, err));
    if ((fields & VERB_VARIABLE) && op->variable == NULL)
        TRY(api_run_take_variable(rq, object, "variable", &op->variable, NULL, err));
    TRY(take_trees(rq, object, run, op, err));
    if (fields & VERB_VALIDATE_SHAPE)
        TRY(api_object_bool(object, "validate_shape", &op->validate_shape, &given, err));
    if (fields & VERB_ZERO_DEBIAS)
        TRY(api_object_bool(object, "zero_debias", &op->zero_debias, &given, err));
    if (fields & VERB_LIMIT)
        TRY(api_object_i64(object, "limit", &op->limit, NULL, err));
    TRY(take_specs(rq, object, op, err));
    if (fields & VERB_OPTIMIZER)
        TRY(take_gradients(rq, object, run, op, err));
    return api_object_end(object, err);
}

static enum err_code
unknown_verb(const char *name, struct err *err)
{
    char known[400] = "";
    size_t used = 0;

    for (size_t i = 0; verb_at(i) != NULL && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 verb_at(i)->name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field 'op': there is no operation '%.64s', there are %s", name, known);
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
    struct api_object object;
    int64_t version = 0, revision = 0;

    TRY(api_object_of(value, &object, err));
    TRY(api_run_take_variable(rq, &object, "variable", &out->variable, NULL, err));
    TRY(api_object_i64(&object, "version", &version, &out->has_version, err));
    TRY(api_object_i64(&object, "revision", &revision, &out->has_revision, err));
    TRY(api_object_end(&object, err));
    if (!out->has_version && !out->has_revision)
        return missing(&object, "version' or 'revision", err);
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
    struct api_value *ops = NULL, *fetches = NULL, value;
    const char **fetch_names = NULL;
    size_t op_count = 0, fetch_count = 0;
    struct api_object object;
    bool given = false;

    out->spec = run_spec_default();
    out->spec.numbered = true;
    TRY(api_object_of(body, &object, err));
    if (api_object_has(&object, "require", &value))
        TRY(take_requirements(rq, &value, &out->spec, err));
    if (api_object_has(&object, "guards", &value))
        TRY(take_guards(&value, &out->spec, err));
    TRY(api_object_bool(&object, "dry_run", &out->spec.dry_run, &given, err));
    if (api_object_has(&object, "ops", &value))
        TRY(api_value_elements(&value, arena, &ops, &op_count, err));
    if (api_object_has(&object, "fetches", &value))
        TRY(api_value_fields(&value, arena, &fetch_names, &fetches, &fetch_count, err));
    TRY(api_object_end(&object, err));
    TRY(check_counts(rq, op_count, fetch_count, err));
    TRY(take_ops(rq, out, ops, op_count, err));
    TRY(take_fetches(rq, out, fetch_names, fetches, fetch_count, err));
    return out->tensors == NULL ? OK : api_tensor_table_end(out->tensors, err);
}
