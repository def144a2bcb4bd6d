/* Restoring a checkpoint into this model, from this or another one. */
#include "api/handlers/handlers.h"
#include "api/restore_json.h"

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
    TRY(api_restore_take(rq, &body, &spec, err));
    return api_restore_reply(rq, rp, &spec, err);
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
    TRY(api_restore_take(rq, &body, &spec, err));
    return api_restore_reply(rq, rp, &spec, err);
}
