/* What a restore is asked by, and what it tells. */
#include "api/resource/restore_json.h"

#include "api/http/problem.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/tensors/picks.h"
#include "store/base/scope.h"

enum { REFUSED_BYTES_MAX = 16384 };

/* --- asked --------------------------------------------------------------------------------- */

static enum err_code
take_choice(struct api_request *rq, struct api_object *body, const char *field,
            enum restore_choice *out, struct err *err)
{
    const char *text = NULL;
    bool given = false;

    TRY(api_object_text(body, field, api_request_arena(rq), &text, &given, err));
    if (!given || strcmp(text, "error") == 0)
        *out = RESTORE_ERROR;
    else if (strcmp(text, "skip") == 0)
        *out = RESTORE_SKIP;
    else
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field '%s' must be \"error\" or \"skip\", not \"%.64s\"", field, text);
    return OK;
}

/* {"old/": "new/"} */
static enum err_code
take_prefix_map(struct api_request *rq, struct api_object *body,
                struct checkpoint_restore_spec *spec, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_pick *map;
    struct api_value value, *values = NULL;
    const char **names = NULL;

    if (!api_object_has(body, "prefix_map", &value))
        return OK;
    TRY(api_value_fields(&value, arena, &names, &values, &spec->prefix_map_count, err));
    map = arena_array(arena, spec->prefix_map_count + 1, sizeof *map, err);
    if (map == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < spec->prefix_map_count; i++) {
        map[i].tensor = names[i];
        TRY(api_value_text(&values[i], arena, &map[i].variable, err));
    }
    spec->prefix_map = map;
    return OK;
}

enum err_code
api_restore_take(struct api_request *rq, struct api_object *body,
                 struct checkpoint_restore_spec *spec, struct err *err)
{
    struct api_value picks;
    bool given = false;

    if (api_object_has(body, "variables", &picks))
        TRY(api_picks_take(rq, &picks, &spec->picks, &spec->pick_count, err));
    TRY(take_prefix_map(rq, body, spec, err));
    if (spec->picks != NULL && spec->prefix_map != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "give 'variables' or 'prefix_map', not both");
    TRY(take_choice(rq, body, "on_missing", &spec->on_missing, err));
    TRY(take_choice(rq, body, "on_extra", &spec->on_extra, err));
    TRY(take_choice(rq, body, "on_mismatch", &spec->on_mismatch, err));
    TRY(api_object_bool(body, "reshape", &spec->reshape, &given, err));
    TRY(api_object_bool(body, "create", &spec->create, &given, err));
    TRY(api_object_bool(body, "dry_run", &spec->dry_run, &given, err));
    return api_object_end(body, err);
}

/* --- told ---------------------------------------------------------------------------------- */

static enum err_code
set_names(json_t *json, const char *field, const struct restore_list *list, bool variables,
          struct err *err)
{
    json_t *array = json_array();

    TRY(api_json_set(json, field, array, err));
    for (size_t i = 0; i < list->count; i++)
        TRY(api_json_push(
            array, json_string(variables ? list->names[i].variable : list->names[i].tensor), err));
    return OK;
}

static enum err_code
set_created(json_t *json, const struct restore_list *restored, struct err *err)
{
    json_t *array = json_array();

    TRY(api_json_set(json, "created", array, err));
    for (size_t i = 0; i < restored->count; i++)
        if (restored->names[i].created)
            TRY(api_json_push(array, json_string(restored->names[i].variable), err));
    return OK;
}

/* {"dtype": "float32", "shape": [2,3]}; null: a shape that is not known. */
static enum err_code
set_side(json_t *json, const char *field, const struct tensor_type *type, bool shape_known,
         struct err *err)
{
    json_t *side = json_object(), *shape = NULL;

    TRY(api_json_set(json, field, side, err));
    TRY(api_json_set(side, "dtype", json_string(dtype_name(type->dtype)), err));
    if (shape_known)
        TRY(api_describe_shape(&type->shape, &shape, err));
    else
        shape = json_null();
    return api_json_set(side, "shape", shape, err);
}

static enum err_code
set_mismatched(json_t *json, const struct restore_list *list, struct err *err)
{
    json_t *array = json_array();

    TRY(api_json_set(json, "mismatched", array, err));
    for (size_t i = 0; i < list->count; i++) {
        const struct restore_name *name = &list->names[i];
        json_t *entry = json_pack("{s:s, s:s, s:s}", "name", name->variable, "tensor", name->tensor,
                                  "reason", name->sides->reason);

        TRY(api_json_push(array, entry, err));
        TRY(set_side(entry, "expected", &name->sides->variable, name->sides->variable_shape_known,
                     err));
        TRY(set_side(entry, "found", &name->sides->tensor, true, err));
    }
    return OK;
}

enum err_code
api_restore_describe(json_t *json, const struct restore_report *report, struct err *err)
{
    TRY(set_names(json, "restored", &report->restored, true, err));
    TRY(set_created(json, &report->restored, err));
    TRY(set_names(json, "missing", &report->missing, false, err));
    TRY(set_names(json, "unexpected", &report->unexpected, false, err));
    TRY(set_mismatched(json, &report->mismatched, err));
    return set_names(json, "not_in_checkpoint", &report->not_in_checkpoint, true, err);
}

/* The problem document that the restore itself would be answered with, or null. */
static enum err_code
set_refused(json_t *json, const struct err *refused, struct err *err)
{
    AUTO(buf) text;

    buf_init(&text, REFUSED_BYTES_MAX);
    if (refused->code == OK)
        return api_json_set(json, "refused", json_null(), err);
    TRY(api_problem_write(refused, bytes_of("", 0), &text, err));
    return api_json_set(json, "refused", json_loadb((const char *)text.data, text.size, 0, NULL),
                        err);
}

/* --- doing it ------------------------------------------------------------------------------ */

struct restored {
    struct restore_report report;
    bool dry_run;
};

static void
restored_drop(struct restored *restored)
{
    restore_report_drop(&restored->report);
}

static enum err_code
render_restored(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
                struct err *err)
{
    const struct restored *restored = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;

    (void)rq;
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_restore_describe(json, &restored->report, err));
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_json_set(json, "checkpoint",
                     restored->report.checkpoint == NULL ? json_null()
                                                         : json_string(restored->report.checkpoint),
                     err));
    TRY(api_json_set(json, "dry_run", json_boolean(restored->dry_run), err));
    if (restored->dry_run)
        TRY(set_refused(json, &restored->report.refused, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

/* A restore that was refused tells what it found, too. */
static enum err_code
tell_refused(struct api_reply *rp, struct restore_report *report, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    report->restored.count = 0; /* would have been: nothing was */
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_restore_describe(json, report, err));
    return api_reply_on_failure(rp, json, err);
}

enum err_code
api_restore_reply(struct api_request *rq, struct api_reply *rp,
                  const struct checkpoint_restore_spec *spec, struct err *err)
{
    AUTO(restored) restored = {.dry_run = spec->dry_run};
    struct write_options options;
    enum err_code code;

    TRY(api_outcome_begin(rq, render_restored, &restored, &options, err));
    code = checkpoint_restore(api_request_service(rq), api_request_model(rq), spec, &options,
                              &restored.report, err);
    if (code != OK)
        TRY(tell_refused(rp, &restored.report, err));
    TRY(code);
    return api_outcome_reply(rq, rp, restored.report.revision, err);
}
