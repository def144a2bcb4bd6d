#include "api/resource/accumulation_json.h"

#include <inttypes.h>

#include "api/http/target.h"
#include "api/json/chars.h"
#include "api/resource/describe.h"
#include "api/state.h"
#include "api/waiting.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200, STATUS_ACCEPTED = 202 };

/* --- describing ---------------------------------------------------------------------------- */

static enum err_code
set_time(json_t *json, const char *field, uint64_t wall_ms, struct err *err)
{
    char text[API_TIME_BYTES_MAX];

    return api_json_set(json, field, json_string(api_describe_time(wall_ms, text)), err);
}

static enum err_code
describe_variable(const struct accumulation_variable *variable, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *shape = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(variable->name), err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(variable->type.dtype)), err));
    TRY(api_describe_shape(&variable->type.shape, &shape, err));
    TRY(api_json_set(json, "shape", shape, err));
    TRY(api_json_set(json, "sparse", json_boolean(variable->sparse), err));
    if (variable->sparse)
        TRY(api_json_set(json, "rows", json_integer((json_int_t)variable->rows), err));
    *out = TAKE(json);
    return OK;
}

static enum err_code
describe_open(const struct accumulation_info *info, json_t *json, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *variables = NULL;
    json_t *workers = NULL;

    TRY(api_json_made(json_array(), &variables, err));
    for (size_t i = 0; i < info->variable_count; i++) {
        json_t *variable = NULL;

        TRY(describe_variable(&info->variables[i], &variable, err));
        TRY(api_json_push(variables, variable, err));
    }
    TRY(api_describe_names((const char *)info->workers, sizeof *info->workers, info->worker_count,
                           &workers, err));
    TRY(api_json_set(json, "workers", workers, err));
    TRY(api_json_set(json, "variables", TAKE(variables), err));
    TRY(set_time(json, "created", info->started_ms, err));
    TRY(set_time(json, "updated", info->updated_ms, err));
    return set_time(json, "expires", info->expires_ms, err);
}

/* What the replies to contributions say, too. */
static enum err_code
describe_briefly(const char *optimizer, const struct accumulation_info *info, json_t **out,
                 struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "optimizer", json_string(optimizer), err));
    TRY(api_json_set(json, "key", json_string(info->key), err));
    TRY(api_json_set(json, "accumulated", json_integer(info->count), err));
    TRY(api_json_set(json, "replicas", json_integer(info->replicas), err));
    TRY(api_json_set(json, "applied", json_boolean(info->applied), err));
    if (info->has_global_step)
        TRY(api_json_set(json, "global_step", json_integer(info->global_step), err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)info->revision), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_accumulation(const char *optimizer, const struct accumulation_info *info, json_t **out,
                          struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(describe_briefly(optimizer, info, &json, err));
    if (info->applied)
        TRY(set_time(json, "applied_at", info->applied_ms, err));
    else
        TRY(describe_open(info, json, err));
    *out = TAKE(json);
    return OK;
}

/* Which visible ASCII characters have to be escaped in a segment of a path: RFC 3986's others. */
static bool
stands_for_itself(char c)
{
    return api_is_alnum((uint8_t)c) || strchr("-._~!$&'()*+,;=@", c) != NULL;
}

enum err_code
api_accumulation_location(const struct api_request *rq, struct api_reply *rp, const char *key,
                          struct err *err)
{
    char escaped[3 * ACCUMULATION_KEY_BYTES_MAX + 1];
    size_t used = 0;

    for (const char *c = key; *c != '\0'; c++) {
        if (stands_for_itself(*c))
            escaped[used++] = *c;
        else
            used += (size_t)snprintf(escaped + used, sizeof escaped - used, "%%%02X",
                                     (unsigned)(uint8_t)*c);
    }
    escaped[used] = '\0';
    return api_reply_header(rp, "Location", err, "/v1/models/%s/optimizers/%s/accumulations/%s",
                            api_request_model(rq), api_request_name(rq), escaped);
}

/* --- waiting ------------------------------------------------------------------------------- */

static enum err_code
reply_state(struct api_request *rq, struct api_reply *rp, const struct accumulation_info *info,
            struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_reply_revision(rp, info->revision, err));
    TRY(describe_briefly(api_request_name(rq), info, &json, err));
    if (!info->applied)
        TRY(api_accumulation_location(rq, rp, info->key, err));
    return api_reply_json(rp, info->applied ? STATUS_OK : STATUS_ACCEPTED, TAKE(json), err);
}

/* api_handler: nothing yet, or the end. */
static enum err_code
look(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    const char *key = api_wait_context(rq);
    AUTO(accumulation_info) info = {.applied = false};
    struct err own = ERR_INIT;
    enum err_code code = accumulation_get(api_request_service(rq), api_request_model(rq),
                                          api_request_name(rq), key, &info, &own);

    if (code == ERR_NOT_FOUND)
        return err_set(err, ERR_ABORTED,
                       "accumulation '%s' was dropped before it was full: it was deleted, or has "
                       "expired (accumulation_keep_ms); the contribution to it was not applied",
                       key);
    if (code != OK)
        return err_set(err, code, "%s", own.text);
    if (!info.applied && !api_wait_is_over(rq))
        return OK;
    return reply_state(rq, rp, &info, err);
}

enum err_code
api_accumulation_wait(struct api_request *rq, struct api_reply *rp, const char *key,
                      uint64_t seconds, struct err *err)
{
    const char *copy = arena_text(api_request_arena(rq), bytes_of_text(key), err);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    return api_wait_for(rq, rp,
                        accumulation_topic(api_request_model(rq), api_request_name(rq), copy),
                        seconds, look, copy, err);
}

/* The key at the end of a Location that api_accumulation_location wrote. */
static bool
key_of_location(const struct api_reply *rp, char out[static ACCUMULATION_KEY_BYTES_MAX + 1])
{
    for (size_t i = 0; i < rp->header_count; i++) {
        const char *slash = strrchr(rp->headers[i].value, '/');
        uint8_t decoded[3 * ACCUMULATION_KEY_BYTES_MAX];
        size_t size;

        if (!api_chars_equal(bytes_of_text(rp->headers[i].name), "Location") || slash == NULL ||
            strlen(slash + 1) > sizeof decoded)
            continue;
        size = api_target_decode(bytes_of_text(slash + 1), decoded);
        if (size > ACCUMULATION_KEY_BYTES_MAX)
            return false;
        memcpy(out, decoded, size);
        out[size] = '\0';
        return true;
    }
    return false;
}

enum err_code
api_wait_again(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    char key[ACCUMULATION_KEY_BYTES_MAX + 1];
    struct api_reply unsaid = {.request = rq};
    uint64_t seconds = 0;

    /* the kept reply says already that the preference was applied */
    TRY(api_wait_preferred(rq, &unsaid, &seconds, err));
    if (seconds == 0 || !key_of_location(rp, key))
        return OK;
    return api_accumulation_wait(rq, rp, key, seconds, err);
}
