/* Lists by pages: page_size, page_token in; an array, next_page_token and an ETag out. */
#ifndef API_HTTP_PAGING_H
#define API_HTTP_PAGING_H

#include <jansson.h>

#include "api/reply.h"
#include "service/name.h"

enum { API_PAGE_SIZE_DEFAULT = 1000, API_PAGE_SIZE_MAX = 10000 };

/* Owns items: api_page_drop. */
struct api_page {
    json_t *items;
    const char *after; /* NULL: from the first */
    size_t size;
    bool more;
    char last[NAME_TENSOR_BYTES_MAX + 1]; /* the longest names of all */
};

ERR_MUST_CHECK enum err_code api_page_begin(struct api_request *rq, struct api_page *out,
                                            struct err *err);
/* Takes `item`; `name` is where the next page would go on. */
ERR_MUST_CHECK enum err_code api_page_push(struct api_page *page, json_t *item, const char *name,
                                           struct err *err);
/* The tag of a page of this query; *done: 304 is the reply. */
ERR_MUST_CHECK enum err_code api_page_etag(struct api_request *rq, struct api_reply *rp,
                                           uint64_t revision, bool *done, struct err *err);
/* {"<field>": [...], "next_page_token": …, "revision": …}; 304 when the client has it. */
ERR_MUST_CHECK enum err_code api_page_reply(struct api_request *rq, struct api_reply *rp,
                                            struct api_page *page, const char *field,
                                            uint64_t revision, struct err *err);
void api_page_drop(struct api_page *page);

#endif
