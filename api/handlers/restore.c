/* Restoring a checkpoint into this model, from this or another one. */
#include "api/guard/caller.h"
#include "api/handlers/handlers.h"
#include "api/resource/restore_json.h"

enum err_code
api_checkpoint_restore(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_restore_spec spec = {.name = api_request_name(rq)};
    struct api_object body;

    TRY(api_request_object(rq, &body, err));
    TRY(api_restore_take(rq, &body, &spec, err));
    return api_restore_reply(rq, rp, &spec, err);
}

/* {"checkpoint": {"model": "five_layers", "name": "model.ckpt-1000"}, …} */
enum err_code
api_model_restore(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct checkpoint_restore_spec spec = {0};
    struct api_value from;
    struct api_object body, checkpoint;
    bool given = false;

    TRY(api_request_object(rq, &body, err));
    if (!api_object_has(&body, "checkpoint", &from))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'checkpoint' is missing: {\"checkpoint\": {\"model\": …, \"name\": "
                       "…}}");
    TRY(api_object_of(&from, &checkpoint, err));
    TRY(api_object_text(&checkpoint, "model", arena, &spec.source_model, &given, err));
    TRY(api_object_text(&checkpoint, "name", arena, &spec.name, NULL, err));
    TRY(api_object_end(&checkpoint, err));
    TRY(api_caller_check_model(rq, spec.source_model, err));
    TRY(api_restore_take(rq, &body, &spec, err));
    return api_restore_reply(rq, rp, &spec, err);
}

/* "checkpoint": "model.ckpt-1000" | "latest" | {"model": …, "name": …}. Of one that is called
 * "latest" the last form tells. */
static enum err_code
take_checkpoint(struct api_request *rq, struct api_object *body,
                struct checkpoint_restore_spec *spec, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct api_object checkpoint;
    struct api_value value;
    bool given = false;

    if (!api_object_has(body, "checkpoint", &value) || api_value_kind(&value) == API_NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Can't load save_path when it is None. Give 'checkpoint': a name, or "
                       "\"latest\"");
    if (api_value_kind(&value) != API_OBJECT) {
        TRY(api_value_text(&value, arena, &spec->name, err));
        spec->latest = strcmp(spec->name, "latest") == 0;
        return OK;
    }
    TRY(api_object_of(&value, &checkpoint, err));
    TRY(api_object_text(&checkpoint, "model", arena, &spec->source_model, &given, err));
    TRY(api_object_text(&checkpoint, "name", arena, &spec->name, NULL, err));
    TRY(api_object_end(&checkpoint, err));
    return api_caller_check_model(rq, spec->source_model, err);
}

enum err_code
api_saver_restore(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    struct checkpoint_restore_spec spec = {.saver = api_request_name(rq)};
    struct api_object body;

    TRY(api_request_object(rq, &body, err));
    TRY(take_checkpoint(rq, &body, &spec, err));
    TRY(api_restore_take(rq, &body, &spec, err));
    if (spec.picks != NULL || spec.prefix_map != NULL || spec.reshape)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'variables', 'prefix_map' and 'reshape' are said by saver '%s'",
                       spec.saver);
    return api_restore_reply(rq, rp, &spec, err);
}
