/* Restoring a checkpoint into this model, from this or another one. */
#include "api/describe.h"
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/picks.h"
#include "api/reply.h"
#include "service/checkpoint.h"
#include "store/base/scope.h"

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

static enum err_code
take_spec(struct api_request *rq, struct api_object *body, struct checkpoint_restore_spec *spec,
          struct err *err)
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

/* Restored names are variables; missing and unexpected ones are names in the checkpoint. */
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
set_mismatched(json_t *json, const struct restore_list *list, struct err *err)
{
    json_t *array = json_array();

    TRY(api_json_set(json, "mismatched", array, err));
    for (size_t i = 0; i < list->count; i++)
        TRY(api_json_push(array,
                          json_pack("{s:s, s:s, s:s}", "name", list->names[i].variable, "tensor",
                                    list->names[i].tensor, "reason", list->names[i].reason),
                          err));
    return OK;
}

static enum err_code
set_report(json_t *json, const struct restore_report *report, struct err *err)
{
    TRY(set_names(json, "restored", &report->restored, true, err));
    TRY(set_names(json, "missing", &report->missing, false, err));
    TRY(set_names(json, "unexpected", &report->unexpected, false, err));
    return set_mismatched(json, &report->mismatched, err);
}

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
    TRY(set_report(json, &restored->report, err));
    TRY(api_reply_revision(rp, revision, err));
    TRY(api_json_set(json, "dry_run", json_boolean(restored->dry_run), err));
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
    TRY(set_report(json, report, err));
    return api_reply_on_failure(rp, json, err);
}

static enum err_code
restore(struct api_request *rq, struct api_reply *rp, const struct checkpoint_restore_spec *spec,
        struct err *err)
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

enum err_code
api_checkpoint_restore(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_restore_spec spec = {.name = api_request_name(rq)};
    struct api_json *doc = NULL;
    struct api_value root;
    struct api_object body;

    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    TRY(take_spec(rq, &body, &spec, err));
    return restore(rq, rp, &spec, err);
}

/* {"checkpoint": {"model": "five_layers", "name": "model.ckpt-1000"}, …} */
enum err_code
api_model_restore(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_restore_spec spec = {0};
    struct api_json *doc = NULL;
    struct api_value root, from;
    struct api_object body, checkpoint;
    bool given = false;

    TRY(api_request_json(rq, &doc, err));
    root = api_json_root(doc);
    TRY(api_object_of(&root, &body, err));
    if (!api_object_has(&body, "checkpoint", &from))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'checkpoint' is missing: {\"checkpoint\": {\"model\": …, \"name\": "
                       "…}}");
    TRY(api_object_of(&from, &checkpoint, err));
    TRY(api_object_text(&checkpoint, "model", arena, &spec.source_model, &given, err));
    TRY(api_object_text(&checkpoint, "name", arena, &spec.name, NULL, err));
    TRY(api_object_end(&checkpoint, err));
    TRY(take_spec(rq, &body, &spec, err));
    return restore(rq, rp, &spec, err);
}
