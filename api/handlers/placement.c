/* Placing a model's variables anew: POST /v1/models/{model}:place. */
#include "api/handlers/handlers.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/placement_json.h"
#include "service/placement/model_place.h"
#include "store/base/scope.h"

struct placed {
    struct model_place_report report;
    bool dry_run;
};

static void
placed_drop(struct placed *placed)
{
    model_place_report_drop(&placed->report);
}

static enum err_code
describe_move(const struct model_move *move, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(move->name), err));
    TRY(api_json_set(json, "from", json_string(move->from), err));
    TRY(api_json_set(json, "to", json_string(move->to), err));
    if (move->parts_moved > 0)
        TRY(api_json_set(json, "parts_moved", json_integer(move->parts_moved), err));
    *out = TAKE(json);
    return OK;
}

static enum err_code
render_placed(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
              struct err *err)
{
    const struct placed *placed = result;
    const struct model_place_report *report = &placed->report;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *moves = NULL, *state = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "model", json_string(api_request_model(rq)), err));
    TRY(api_json_set(json, "dry_run", json_boolean(placed->dry_run), err));
    TRY(api_json_set(json, "variables", json_integer((json_int_t)report->variables), err));
    TRY(api_json_made(json_array(), &moves, err));
    TRY(api_json_set(json, "moved", moves, err));
    for (size_t i = 0; i < report->move_count; i++) {
        json_t *move = NULL;

        TRY(describe_move(&report->moves[i], &move, err));
        TRY(api_json_push(moves, move, err));
    }
    TRY(api_json_set(json, "moved_count", json_integer((json_int_t)report->moved), err));
    TRY(api_placement_describe_state(&report->devices, &report->drawn, &state, err));
    TRY(api_json_set(json, "placement_state", state, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    TRY(api_reply_revision(rp, revision, err));
    return api_reply_json(rp, 200, TAKE(json), err);
}

enum err_code
api_model_place(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO_CALL(placed_drop) struct placed placed = {.dry_run = false};
    struct write_options options;
    struct api_object body;
    bool given = false;

    TRY(api_outcome_begin(rq, render_placed, &placed, &options, err));
    TRY(api_request_object(rq, &body, err));
    TRY(api_object_bool(&body, "dry_run", &placed.dry_run, &given, err));
    TRY(api_object_end(&body, err));
    TRY(model_place(api_request_service(rq), api_request_model(rq), placed.dry_run, &options,
                    &placed.report, err));
    return api_outcome_reply(rq, rp, placed.report.revision, err);
}
