/* What this server can compute. */
#include "api/handlers/handlers.h"
#include "api/reply.h"
#include "api/resource/ops_json.h"
#include "api/resource/optimizer_json.h"
#include "api/resource/run_json.h"

enum { STATUS_OK = 200 };

enum err_code
api_ops_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    json_t *body = NULL;

    (void)rq;
    TRY(api_ops_json(&body, err));
    return api_reply_json(rp, STATUS_OK, body, err);
}

enum err_code
api_optimizers_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    json_t *body = NULL;

    (void)rq;
    TRY(api_optimizers_json(&body, err));
    return api_reply_json(rp, STATUS_OK, body, err);
}

enum err_code
api_verbs_list(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    json_t *body = NULL;

    (void)rq;
    TRY(api_verbs_json(&body, err));
    return api_reply_json(rp, STATUS_OK, body, err);
}
