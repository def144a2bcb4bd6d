/* POST /v1/tickets: for an EventSource, which sends no header of ours. */
#include "api/guard/caller.h"
#include "api/handlers/handlers.h"
#include "api/reply.h"

enum err_code
api_ticket_create(struct api_request *rq, struct api_reply *rp, struct err *err)
{
    uint64_t keep_ms = api_request_settings(rq)->ticket_keep_ms;
    char ticket[API_TICKET_BYTES + 1];

    TRY(api_caller_make_ticket(rq, ticket, err));
    return api_reply_json(
        rp, 201, json_pack("{s:s,s:I}", "ticket", ticket, "expires_in_ms", (json_int_t)keep_ms),
        err);
}
