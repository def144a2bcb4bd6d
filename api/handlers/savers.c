/* Savers: make, change, build, look, list, delete. Saving through one is a verb of runs, restoring
 * is with the other restores. */
#include <inttypes.h>
#include <stdio.h>

#include "api/handlers/handlers.h"
#include "api/http/paging.h"
#include "api/outcome.h"
#include "api/reply.h"
#include "api/resource/describe.h"
#include "api/resource/saver_json.h"
#include "store/base/scope.h"

enum { STATUS_OK = 200 };

struct written {
    bool created;
    struct saver_info info;
};

static void
written_drop(struct written *written)
{
    saver_info_drop(&written->info);
}

static enum err_code
render_written(struct api_request *rq, struct api_reply *rp, const void *result, uint64_t revision,
               struct err *err)
{
    const struct written *written = result;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *removed = NULL;

    TRY(api_reply_revision(rp, revision, err));
    TRY(api_describe_saver(&written->info, &json, err));
    TRY(api_describe_texts(buf_bytes(&written->info.removed), &removed, err));
    TRY(api_json_set(json, "removed", removed, err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)revision), err));
    return api_reply_written(rq, rp, written->created, "savers", written->info.name, TAKE(json),
                             err);
}

/* whole: of settings that are not given the defaults hold (PUT); else they stay (PATCH). */
static enum err_code
take_and_write(struct api_request *rq, struct api_reply *rp, bool whole, struct err *err)
{
    AUTO(written) written = {.created = false};
    struct service *service = api_request_service(rq);
    const char *model = api_request_model(rq), *name = api_request_name(rq);
    struct write_options options;
    struct saver_spec spec;
    struct api_value root;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_written, &written, &options, err));
    TRY(api_request_value(rq, &root, err));
    TRY(api_saver_take(rq, &root, whole, &spec, err));
    if (whole)
        TRY(saver_put(service, model, name, &spec, &options, &written.created, &written.info,
                      &revision, err));
    else
        TRY(saver_patch(service, model, name, &spec, &options, &written.info, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_saver_put(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return take_and_write(rq, rp, true, err);
}

enum err_code
api_saver_patch(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return take_and_write(rq, rp, false, err);
}

/* The body is empty, or {}. */
enum err_code
api_saver_build(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(written) written = {.created = false};
    struct write_options options;
    struct api_object object;
    uint64_t revision = 0;

    TRY(api_outcome_begin(rq, render_written, &written, &options, err));
    TRY(api_request_object(rq, &object, err));
    TRY(api_object_end(&object, err));
    TRY(saver_build(api_request_service(rq), api_request_model(rq), api_request_name(rq), &options,
                    &written.info, &revision, err));
    return api_outcome_reply(rq, rp, revision, err);
}

enum err_code
api_saver_delete(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    return api_outcome_delete(rq, rp, saver_delete, err);
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
api_saver_get(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(saver_info) info = {0};
    char representation[32];
    json_t *json = NULL;
    bool done = false;

    TRY(saver_get(api_request_service(rq), api_request_model(rq), api_request_name(rq), &info,
                  err));
    /* What others did to its checkpoints is part of what is told. */
    snprintf(representation, sizeof representation, "saver-%016" PRIx64,
             bytes_hash(BYTES_HASH_BEGIN, bytes_of_text(info.latest)));
    TRY(api_reply_etag(rq, rp, info.record.revision, representation, &done, err));
    if (done)
        return OK;
    TRY(api_describe_saver(&info, &json, err));
    return api_reply_json(rp, STATUS_OK, json, err);
}

static enum err_code
push_saver(void *context, const struct saver_info *info, struct err *err)
{
    json_t *json = NULL;

    TRY(api_describe_saver(info, &json, err));
    return api_page_push(context, json, info->name, err);
}

enum err_code
api_saver_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    AUTO(api_page) page = {0};
    uint64_t revision = 0;

    TRY(api_page_begin(rq, &page, err));
    TRY(saver_list(api_request_service(rq), api_request_model(rq), page.after, page.size,
                   push_saver, &page, &page.more, &revision, err));
    return api_page_reply(rq, rp, &page, "savers", revision, err);
}
