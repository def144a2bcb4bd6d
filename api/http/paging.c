#include "api/http/paging.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/resource/describe.h"
#include "service/placement/task_usage.h"
#include "store/base/crc32c.h"

void
api_page_drop(struct api_page *page)
{
    json_decref(page->items);
    *page = (struct api_page){0};
}

enum err_code
api_page_begin(struct api_request *rq, struct api_page *out, struct err *err)
{
    struct bytes token = api_request_query(rq, "page_token");
    uint64_t size = 0;

    TRY(api_request_query_count(rq, "page_size", API_PAGE_SIZE_DEFAULT, API_PAGE_SIZE_MAX, &size,
                                err));
    if (token.size >= sizeof out->last)
        return err_set(err, ERR_INVALID_ARGUMENT, "a page token of %zu bytes, names have %zu",
                       token.size, sizeof out->last - 1);
    out->size = (size_t)size;
    out->after = token.data == NULL || token.size == 0 ? NULL : (const char *)token.data;
    if (out->after != NULL) {
        out->after = arena_text(api_request_arena(rq), token, err);
        if (out->after == NULL)
            return ERR_NO_MEMORY;
    }
    return api_json_made(json_array(), &out->items, err);
}

enum err_code
api_page_push(struct api_page *page, json_t *item, const char *name, struct err *err)
{
    snprintf(page->last, sizeof page->last, "%s", name);
    return api_json_push(page->items, item, err);
}

enum err_code
api_page_etag(struct api_request *rq, struct api_reply *rp, uint64_t revision, bool *done,
              struct err *err)
{
    struct bytes query = api_request_query_text(rq);
    char representation[32];

    /* Another query is another list, and so is one where other devices are: what is listed may tell
     * on which of them it is. Both are part of the tag. */
    snprintf(representation, sizeof representation, "list-%08" PRIx32,
             crc32c(service_devices(api_request_service(rq))->checksum, query.data, query.size));
    return api_reply_etag(rq, rp, revision, representation, done, err);
}

enum err_code
api_page_reply(struct api_request *rq, struct api_reply *rp, struct api_page *page,
               const char *field, uint64_t revision, struct err *err)
{
    json_t *body = NULL;
    bool done = false;

    TRY(api_page_etag(rq, rp, revision, &done, err));
    if (done)
        return OK;
    body = json_pack("{s:O, s:o?, s:I}", field, page->items, "next_page_token",
                     page->more ? json_string(page->last) : NULL, "revision", (json_int_t)revision);
    if (body == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory while writing a list");
    if (!page->more)
        TRY(api_json_set(body, "next_page_token", json_null(), err));
    return api_reply_json(rp, 200, body, err);
}
