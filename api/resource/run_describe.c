/* What a run did, as JSON. */
#include <inttypes.h>

#include "api/json/json_write.h"
#include "api/json/text.h"
#include "api/resource/accumulator_json.h"
#include "api/resource/average_json.h"
#include "api/resource/describe.h"
#include "api/resource/gradients_json.h"
#include "api/resource/run_json.h"
#include "api/resource/saver_json.h"
#include "service/run/verb.h"
#include "store/base/scope.h"

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
describe_initialized(const struct initialize_report *report, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_describe_names((const char *)report->initialized, sizeof *report->initialized,
                           report->initialized_count, &part, err));
    TRY(api_json_set(json, "initialized", part, err));
    TRY(api_describe_names((const char *)report->skipped, sizeof *report->skipped,
                           report->skipped_count, &part, err));
    TRY(api_json_set(json, "skipped", part, err));
    TRY(describe_seeds(report, &part, err));
    TRY(api_json_set(json, "initialized_with", part, err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_versions(const struct run_version *versions, size_t count, json_t **out,
                      struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    for (size_t i = 0; i < count; i++)
        TRY(api_json_set(json, versions[i].name, json_integer((json_int_t)versions[i].version),
                         err));
    *out = TAKE(json);
    return OK;
}

/* The members of `part`, taken, go into `json`. */
static enum err_code
add_members(json_t *json, json_t *part, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *taken = part;

    if (json_object_update(json, taken) != 0)
        return err_set(err, ERR_NO_MEMORY, "no memory for the reply");
    return OK;
}

enum err_code
api_describe_result(const struct run_result *result, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "op", json_string(result->verb->name), err));
    if (result->has_change) {
        TRY(api_describe_change(&result->change, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->has_before)
        TRY(api_json_set(json, "value", json_integer(result->before), err));
    if (result->converted)
        TRY(api_json_set(json, "converted", json_true(), err));
    if (result->verb->fields & VERB_INITIALIZE) {
        TRY(describe_initialized(&result->initialized, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->applied != NULL) {
        TRY(api_describe_applied(result->applied, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->averaged != NULL) {
        TRY(api_describe_averaged(result->averaged, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->accumulator != NULL) {
        TRY(api_describe_accumulated(result->accumulator, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->has_saved) {
        TRY(api_describe_checkpoint(&result->saved, &part, err));
        TRY(add_members(json, part, err));
    }
    if (result->saver != NULL) {
        TRY(api_describe_saver_dropped(result, &part, err));
        TRY(add_members(json, part, err));
    }
    *out = TAKE(json);
    return OK;
}

static enum err_code
print_results(const struct run_report *report, struct buf *out, struct err *err)
{
    TRY(buf_append_text(out, ",\"results\":[", err));
    for (size_t i = 0; i < report->result_count; i++) {
        AUTO_CALL(api_json_release) json_t *json = NULL;

        if (i > 0)
            TRY(buf_append_text(out, ",", err));
        TRY(api_describe_result(&report->results[i], &json, err));
        TRY(api_json_write(json, out, err));
    }
    return buf_append_text(out, "]", err);
}

static enum err_code
print_fetches(const struct run_spec *spec, const struct run_report *report, struct buf *out,
              struct err *err)
{
    char shape[SHAPE_TEXT_BYTES_MAX];

    TRY(buf_append_text(out, ",\"fetches\":{", err));
    for (size_t i = 0; i < report->fetch_count; i++) {
        struct tensor_view view = tensor_view_of(&report->fetches[i]);

        TRY(buf_append_text(out, i > 0 ? "," : "", err));
        TRY(api_json_escape(bytes_of_text(spec->fetches[i].name), out, err));
        TRY(buf_printf(out, err, ":{\"dtype\":\"%s\",\"shape\":%s,\"data\":",
                       dtype_name(view.type.dtype), shape_text(&view.type.shape, shape)));
        TRY(api_tensor_text(&view, out, err));
        TRY(buf_append_text(out, "}", err));
    }
    return buf_append_text(out, "}", err);
}

static enum err_code
print_real(const char *field, double value, struct buf *out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_pack("{s:f}", field, value), &json, err));
    return api_json_write_members(json, out, err);
}

enum err_code
api_run_print(const struct run_spec *spec, const struct run_report *report, struct buf *out,
              struct err *err)
{
    TRY(buf_printf(out, err, "{\"revision\":%" PRIu64, report->revision));
    if (report->dry_run)
        TRY(buf_append_text(out, ",\"dry_run\":true", err));
    TRY(print_results(report, out, err));
    if (spec->fetch_count > 0)
        TRY(print_fetches(spec, report, out, err));
    if (report->has_update_norm)
        TRY(print_real("update_norm", report->update_norm, out, err));
    return buf_append_text(out, "}", err);
}
