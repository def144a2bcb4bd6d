/* assign, assign_add, assign_sub with an expression; count_up_to; initialize. */
#include "api/describe.h"
#include "api/expr_json.h"
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "service/initialize.h"
#include "service/run.h"
#include "service/variable.h"
#include "service/variable_write.h"
#include "store/base/scope.h"

static enum err_code
render_change(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
              struct err *err)
{
    const struct run_report *report = result;
    json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_change(&report->results[0].change, &json, err));
    return api_reply_json(rp, 200, json, err);
}

/* {"value": expression, "validate_shape": true} */
static enum err_code
update(struct api_request *rq, struct api_reply *rp, enum variable_update verb, struct err *err)
{
    const char *model = api_request_model(rq), *name = api_request_name(rq);
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    AUTO(run_report) report = {0};
    AUTO(expr_tree) value = {0};
    struct write_options options;
    struct api_json *doc = NULL;
    struct api_value root, expression;
    struct api_object body;
    struct tensor_type type;
    uint64_t revision = 0;
    bool validate_shape = true, given = false, has_value;

    TRY(api_outcome_begin(rq, render_change, &report, &options, err));
    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    has_value = api_object_has(&body, "value", &expression);
    TRY(api_object_bool(&body, "validate_shape", &validate_shape, &given, err));
    if (verb != VARIABLE_ASSIGN && !validate_shape)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'validate_shape': only assign may change a shape");
    TRY(api_object_end(&body, err));
    if (!has_value)
        return err_set(err, ERR_INVALID_ARGUMENT, "field 'value' is missing: {\"value\": …}");
    /* Literals are read in the variable's dtype at once: uint64 and float64 keep every digit. */
    TRY(variable_type(api_request_service(rq), model, name, &type, &revision, err));
    TRY(api_expr_decode(&expression, type.dtype, &limits, &value, err));
    TRY(variable_update(api_request_service(rq), model, name, verb, &value, validate_shape,
                        &options, &report, err));
    return api_outcome_reply(rq, rp, report.revision, err);
}

enum err_code
api_variable_assign(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return update(rq, rp, VARIABLE_ASSIGN, err);
}

enum err_code
api_variable_assign_add(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return update(rq, rp, VARIABLE_ASSIGN_ADD, err);
}

enum err_code
api_variable_assign_sub(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return update(rq, rp, VARIABLE_ASSIGN_SUB, err);
}

/* The value before the increment, beside what every change tells. */
static enum err_code
render_counted(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    const struct run_report *report = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_change(&report->results[0].change, &json, err));
    TRY(api_json_set(json, "value", json_integer(report->results[0].before), err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

/* {"limit": n} */
enum err_code
api_variable_count_up_to(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct write_options options;
    AUTO(run_report) report = {0};
    struct api_json *doc = NULL;
    struct api_value root;
    struct api_object body;
    int64_t limit = 0;

    TRY(api_outcome_begin(rq, render_counted, &report, &options, err));
    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    TRY(api_object_i64(&body, "limit", &limit, NULL, err));
    TRY(api_object_end(&body, err));
    TRY(variable_count_up_to(api_request_service(rq), api_request_model(rq), api_request_name(rq),
                             limit, &options, &report, err));
    return api_outcome_reply(rq, rp, report.revision, err);
}

/* {"w": [{"path": …, "seed": …, "seed2": …}]}: of the variables whose initial values draw. */
static enum err_code
describe_seeds(const struct initialize_report *report, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *seeds = NULL;
    size_t begin = 0;

    TRY(api_json_made(json_object(), &seeds, err));
    for (size_t i = 0; i < report->initialized_count; begin = report->draw_ends[i++]) {
        json_t *draws = NULL;

        if (report->draw_ends[i] == begin)
            continue;
        TRY(api_describe_draws(report->draws + begin, report->draw_ends[i] - begin, &draws, err));
        TRY(api_json_set(seeds, report->initialized[i], draws, err));
    }
    *out = TAKE(seeds);
    return OK;
}

static enum err_code
render_initialized(struct api_request *rq, struct api_reply *rp, const void *result,
                   uint64_t revision, struct err *err)
{
    const struct run_report *run = result;
    const struct initialize_report *report = &run->results[0].initialized;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    (void)rq;
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_describe_names((const char *)report->initialized, sizeof *report->initialized,
                           report->initialized_count, &part, err));
    TRY(api_json_set(json, "initialized", part, err));
    TRY(api_describe_names((const char *)report->skipped, sizeof *report->skipped,
                           report->skipped_count, &part, err));
    TRY(api_json_set(json, "skipped", part, err));
    TRY(describe_seeds(report, &part, err));
    TRY(api_json_set(json, "initialized_with", part, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

static enum err_code
run_initialize(struct api_request *rq, struct api_reply *rp, const struct initialize_spec *spec,
               struct err *err)
{
    AUTO(run_report) report = {0};
    struct write_options options;

    TRY(api_outcome_begin(rq, render_initialized, &report, &options, err));
    TRY(model_initialize(api_request_service(rq), api_request_model(rq), spec, &options, &report,
                         err));
    return api_outcome_reply(rq, rp, report.revision, err);
}

enum err_code
api_model_initialize(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct initialize_spec spec = {0};
    struct api_json *doc = NULL;
    struct api_value root;
    struct api_object body;
    const char **names = NULL;
    bool named = false, given = false, prefixed = false;

    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    TRY(api_object_texts(&body, "variables", arena, &names, &spec.name_count, &named, err));
    TRY(api_object_text(&body, "collection", arena, &spec.collection, &given, err));
    TRY(api_object_text(&body, "prefix", arena, &spec.prefix, &prefixed, err));
    if (named && (given || prefixed))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "give 'variables', or 'collection' and 'prefix', not both");
    TRY(api_object_bool(&body, "only_uninitialized", &spec.only_uninitialized, &given, err));
    TRY(api_object_end(&body, err));
    for (size_t i = 0; named && i < spec.name_count; i++) {
        names[i] = arena_text(arena, bytes_of(names[i], name_without_output(names[i])), err);
        if (names[i] == NULL)
            return ERR_NO_MEMORY;
    }
    spec.names = named ? names : NULL;
    return run_initialize(rq, rp, &spec, err);
}

enum err_code
api_variable_initialize(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const char *name = api_request_name(rq);
    struct initialize_spec spec = {.names = &name, .name_count = 1};
    struct api_json *doc = NULL;
    struct api_value root;
    struct api_object body;

    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    TRY(api_object_end(&body, err));
    return run_initialize(rq, rp, &spec, err);
}
